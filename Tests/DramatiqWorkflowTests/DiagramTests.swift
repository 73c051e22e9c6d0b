import Dramatiq
import Foundation
import TestSupport
import Testing

@testable import DramatiqWorkflow

@Suite struct DiagramTests {
    private let broker = Broker(transport: InMemoryTransport())

    private func task(_ name: String, _ argument: Int = 0) -> Message {
        Message(queueName: "default", actorName: name, args: [.integer(argument)])
    }

    private func text(_ components: any WorkflowComponent...) -> String {
        Workflow(Chain(children: components.map(\.node)), broker: broker).diagram()
    }

    @Test func alikePartsAreDrawnOnce() {
        let workflow = Workflow(broker: broker) {
            Chain {
                task("fetch")
                Group {
                    for number in 0..<1000 {
                        task("resize", number)
                        if number < 20 { Chain(task("crop", number), task("sharpen")) }
                        if number == 7 { Chain(task("crop"), task("upload")) }
                    }
                }
                task("poll", 1)
                task("poll", 2)
                task("publish")
            }
        }
        #expect(
            workflow.diagram() == """
                chain
                ├─ fetch
                ├─ group
                │  ├─ resize × 1000
                │  ├─ chain × 20
                │  │  ├─ crop
                │  │  └─ sharpen
                │  └─ chain
                │     ├─ crop
                │     └─ upload
                ├─ poll, 2 times
                └─ publish
                """)
        #expect(
            Workflow(Group(task("a"), Chain(task("b"), task("c"))), task("a"), broker: broker).diagram(.ascii) == """
                chain
                |- group
                |  |- a
                |  `- chain
                |     |- b
                |     `- c
                `- a
                """)
    }

    @Test func delaysNamesAndTakenResultsAreDrawn() {
        let drawing = text(
            WithDelay(WithDelay(task("a"), delay: .seconds(2)), delay: .milliseconds(500)),
            Group(task("b").named("si\"zes"), task("c")).named("all"),
            WithDelay(Group(task("d"), task("d", 2)), delay: .seconds(60)),
            WithDelay(Chain(), delay: .seconds(1)), Group(), Chain(Group(Chain(task("e")))),
            task("f").taking(.previous, .named("all")))
        #expect(
            drawing == """
                chain
                ├─ a, after 2500 ms
                ├─ group, named "all"
                │  ├─ b, named "si"zes"
                │  └─ c
                ├─ group, after 60 s
                │  └─ d × 2
                ├─ nothing, after 1 s
                ├─ e
                └─ f ← the result before, "all"
                """)
        #expect(text() == "nothing")
        #expect(text(Group(Chain(), Group())) == "nothing")
        #expect(text(Group(task("a"))) == "a")
    }

    @Test func whatIsLargeIsCounted() {
        let members = (0..<500).map { Chain(task("a\($0)"), task("b")).node }
        let drawing = text(task("first"), Group(children: members), task("last"))
        let lines = drawing.split(separator: "\n")
        #expect(lines.count < 300)
        #expect(lines.last == "└─ last")
        #expect(lines.contains("│  └─ … and 402 more, 804 tasks"))
        let small = WorkflowDiagram(Chain(children: members).node, maxNodes: 1)
        #expect(small.rendered() == "chain\n└─ … and 500 more, 1000 tasks")
        #expect(small.nodes.map(\.taskCount) == [1000, 1000])
        for size in [-1, 0, 1, 2, 7, 50] {
            let diagram = WorkflowDiagram(Group(children: members).node, maxNodes: size)
            #expect(diagram.nodes.count { if case .more = $0.content { false } else { true } } <= max(1, size))
        }
    }

    @Test func depthIsNoMatter() {
        var node = task("core").node
        for level in 0..<100_000 {
            node = level.isMultiple(of: 2) ? .group([node, task("a").node]) : .chain([task("b").node, node])
        }
        let diagram = WorkflowDiagram(node)
        #expect(diagram.nodes[0].taskCount == 100_001)
        for format in [WorkflowDiagram.Format.text, .ascii, .mermaid, .dot] {
            let text = diagram.rendered(as: format)
            #expect(text.contains("core") == false && text.utf8.count < 20_000)
        }
        let outline = WorkflowDiagram.outline(of: node)
        #expect(outline.utf8.count <= RunLimits.maxOutlineSize)
        #expect(WorkflowDiagram(outline: outline)?.nodes[0].taskCount == 100_001)
    }

    @Test func arrowsLeadFromWhatIsWaitedForToWhatWaits() {
        let workflow = Workflow(
            task("1"), Group(Chain(task("2"), task("5")), task("3"), Chain(task("4"), Group(task("6"), task("7")))),
            Group(task("8"), Chain(task("9"), task("9"))), broker: broker)
        let mermaid = workflow.diagram(.mermaid).split(separator: "\n").map { $0.drop { $0 == " " } }
        #expect(mermaid.first == "flowchart LR")
        let names = Dictionary(
            uniqueKeysWithValues: mermaid.compactMap { line -> (Substring, String)? in
                guard let bracket = line.firstIndex(where: { $0 == "[" || $0 == "(" }) else { return nil }
                return (line[..<bracket], line[bracket...].filter { $0.isNumber || $0 == "," || $0 == " " })
            })
        let arrows = mermaid.filter { $0.contains("-->") }.map { arrow -> String in
            let ends = arrow.split(separator: " --> ").map { names[$0] ?? "?" }
            return ends.joined(separator: ">")
        }
        #expect(
            Set(arrows) == [
                "1>2", "1>3", "1>4", "2>5", "4>6", "4>7", "5> ", "3> ", "6> ", "7> ", " >8", " >9, 2 ",
            ])
        #expect(arrows.count == 12)
        let dot = workflow.diagram(.dot).split(separator: "\n")
        #expect(dot.first == "digraph workflow {" && dot.last == "}")
        #expect(dot.count { $0.contains("->") } == 12)
    }

    @Test(arguments: [
        "\u{1B}[2J", "a\nb", "\"]; click n0 \"javascript:x\"", "a\"; b", "`x`", "#quot;", "<script>", "end", "\\",
        "\\\"",
        "\u{202E}rtl", "&amp;", "]]", "%%{init: {}}%%", "direction TB", "é\u{301}", "",
    ])
    func noNameBreaksOut(name: String) {
        let node = Chain(
            task(name), Group(children: [task(name).named(name), task("b").node.named("x")]).node.named(name),
            task("c").taking(.named(name))
        ).node
        let diagram = WorkflowDiagram(node)
        for format in [WorkflowDiagram.Format.text, .ascii, .mermaid, .dot] {
            let text = diagram.rendered(as: format)
            let plain = WorkflowDiagram(
                Chain(
                    task("p"), Group(children: [task("p").named("p"), task("b").node.named("x")]).node.named("p"),
                    task("c").taking(.named("p"))
                ).node
            ).rendered(as: format)
            #expect(text.split(separator: "\n").count == plain.split(separator: "\n").count)
            #expect(!text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" || $0 == "\u{202E}" })
            if format == .mermaid {
                #expect(text.count { $0 == "\"" } == plain.count { $0 == "\"" })
                #expect(!text.contains("<script") && !text.contains("`") && !text.contains("%%"))
                #expect(!text.contains("[\"\"]") && !text.contains("direction"))
            }
            if format == .dot {
                #expect(Self.unescapedQuotes(text) == Self.unescapedQuotes(plain))
            }
        }
        let outline = WorkflowDiagram.outline(of: node)
        #expect(WorkflowDiagram(outline: outline)?.rendered() == diagram.rendered())
    }

    /// Each of them begins or ends a text.
    private static func unescapedQuotes(_ text: String) -> Int {
        var (count, isEscaped) = (0, false)
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\""), !isEscaped { count += 1 }
            isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
        }
        return count
    }

    @Test func longNamesAreCut() {
        let name = String(repeating: "x", count: 1000)
        let diagram = WorkflowDiagram(Group(task(name), task("b")).node)
        #expect(diagram.rendered().utf8.count < 200)
        let members = (0..<50).map { task("\($0)" + name).node }
        let outline = WorkflowDiagram.outline(of: .group(members))
        #expect(outline.utf8.count <= RunLimits.maxOutlineSize)
        #expect(WorkflowDiagram(outline: outline)?.nodes[0].taskCount == 50)
    }

    // MARK: Outlines

    @Test func outlinesAreReadAsTheyWereWritten() {
        for seed in 0..<50 as Range<UInt64> {
            var random = SeededGenerator(seed: seed)
            func node(_ depth: Int) -> WorkflowNode {
                let children = (0..<Int.random(in: 0..<5, using: &random)).map { _ in
                    depth < 5 ? node(depth + 1) : task("t").node
                }
                switch Int.random(in: 0..<6, using: &random) {
                case 0: return .chain(children)
                case 1: return .group(children)
                case 2: return .withDelay(.group(children), .seconds(Int.random(in: 0..<5, using: &random)))
                case 3: return WorkflowNode.chain(children).named("n")
                case 4: return task("a").taking(.previous, .named("n")).node
                default: return task("t\(Int.random(in: 0..<3, using: &random))").node
                }
            }
            let diagram = WorkflowDiagram(node(0), maxNodes: 20)
            guard !diagram.nodes.isEmpty else { continue }
            let outline = WorkflowDiagram.outline(of: diagram.nodes)
            #expect(WorkflowDiagram(outline: outline) == diagram, "seed \(seed): \(outline)")
        }
    }

    @Test func smallWorkflowsHaveNoOutlineOrAShortOne() {
        #expect(WorkflowDiagram.outline(of: task("a").node) == "")
        #expect(WorkflowDiagram.outline(of: Chain(Group(task("a"))).node) == "")
        #expect(WorkflowDiagram.outline(of: Group().node) == "")
        #expect(
            WorkflowDiagram.outline(
                of: Chain(task("fetch"), Group(children: [task("resize").node, task("resize").node])).node)
                == #"[[0,0],[1,"fetch"],[1,1],[2,"resize",2]]"#)
    }

    @Test(arguments: [
        "", "null", "{}", "[]", "[0]", "[[]]", "[[0]]", "[[1,0]]", "[[0,0],[2,\"a\"]]", "[[0,\"a\"],[1,\"b\"]]",
        "[[0,0],[0,0]]", "[[0,3]]", "[[0,0],[1,\"a\",0]]", "[[0,0],[1,\"a\",-1]]", "[[0,0],[1,\"a\",1,-1]]",
        "[[-1,0]]", "[[0,null]]", "[[0,0],[1,2,-1,0]]", "[[0,0],[1,\"a\",99999999999999999999]]",
        "[[0,0],[1,\"a\",1.5]]", String(repeating: "[", count: 4000),
    ])
    func whatIsNoOutlineIsNoDrawing(text: String) {
        #expect(WorkflowDiagram(outline: text) == nil)
    }

    @Test func outlinesOfOthersAreBounded() throws {
        let nodes = (0..<26).map { "[\($0),\($0 % 2),9223372036854775807]" }.joined(separator: ",")
        #expect(WorkflowDiagram(outline: "[\(nodes)]") != nil)
        #expect(WorkflowDiagram(outline: "[\(nodes),[26,\"a\"]]") == nil)
        let most = try #require(
            WorkflowDiagram(outline: "[[0,1,9223372036854775807],[1,\"a\",9223372036854775807],[1,\"b\"]]"))
        #expect(most.nodes[0].taskCount == .max)
        for format in [WorkflowDiagram.Format.text, .mermaid, .dot] { #expect(!most.rendered(as: format).isEmpty) }
        #expect(status(most, ["a": RunTaskCounts(total: 5, sent: .max, succeeded: .max)]).diagram != nil)
    }

    // MARK: States

    private func status(
        _ diagram: WorkflowDiagram,
        _ tasks: [String: RunTaskCounts],
        _ state: RunState = .running
    ) -> RunStatus {
        RunStatus(
            run: RunSummary(
                id: "1:run", name: "", labels: [:], state: state, started: .now, ended: nil,
                taskCount: diagram.nodes.first?.taskCount ?? 0),
            tasks: tasks, openBarriers: [], openBarrierCount: 0, failures: [], failureCount: 0,
            outline: WorkflowDiagram.outline(of: diagram.nodes))
    }

    private func drawn(
        _ node: any WorkflowComponent,
        _ tasks: [String: RunTaskCounts],
        _ state: RunState = .running
    ) -> [String] {
        let diagram = status(WorkflowDiagram(node.node), tasks, state).diagram
        return diagram?.nodes.map { $0.state.map { "\($0)" } ?? "?" } ?? []
    }

    @Test func eachNodeSaysHowFarItIs() {
        let node = Chain(
            task("fetch"), Group(children: (0..<100).map { Chain(task("crop", $0), task("sharpen")).node }),
            task("publish"))
        func counts(_ crop: RunTaskCounts, _ sharpen: RunTaskCounts, publish: Int = 0) -> [String: RunTaskCounts] {
            [
                "fetch": RunTaskCounts(total: 1, sent: 1, succeeded: 1), "crop": crop, "sharpen": sharpen,
                "publish": RunTaskCounts(total: 1, sent: publish),
            ]
        }
        #expect(
            drawn(
                node,
                counts(
                    .init(total: 100, sent: 100, succeeded: 90, failed: 2), .init(total: 100, sent: 90, succeeded: 80)))
                == [
                    "2 failed, 171 of 202 done, 18 in flight", "done", "2 failed, 170 of 200 done, 18 in flight",
                    "2 failed, 170 of 200 done, 18 in flight", "2 failed, 90 of 100 done, 8 in flight",
                    "80 of 100 done, 10 in flight", "not begun",
                ])
        #expect(
            drawn(node, counts(.init(total: 100, sent: 100, succeeded: 1, held: 3), .init(total: 100, sent: 1)))
                == [
                    "2 of 202 done, 97 in flight, 3 held", "done", "1 of 200 done, 97 in flight, 3 held",
                    "1 of 200 done, 97 in flight, 3 held", "1 of 100 done, 96 in flight, 3 held",
                    "0 of 100 done, 1 in flight", "not begun",
                ])
        // Python's workers have done what is not counted.
        #expect(
            drawn(node, counts(.init(total: 100, sent: 100, succeeded: 50), .init(total: 100, sent: 50), publish: 1))
                == ["201 of 202 done, 1 in flight", "done", "done", "done", "done", "done", "0 of 1 done, 1 in flight"])
        #expect(
            drawn(node, counts(.init(total: 100, sent: 100), .init(total: 100)), .succeeded)
                == Array(repeating: "done", count: 7))
    }

    @Test func nodesOfOneActorHaveWhatTheirOrderTells() {
        let row = Chain(task("a"), task("b"), Group(task("a"), task("a")), task("b"), task("a"))
        #expect(
            drawn(row, ["a": .init(total: 4, sent: 3, succeeded: 2), "b": .init(total: 2, sent: 1, succeeded: 1)])
                == [
                    "3 of 6 done, 1 in flight", "done", "done", "1 of 2 done, 1 in flight", "1 of 2 done, 1 in flight",
                    "not begun", "not begun",
                ])
        let beside = Chain(Group(Chain(task("a"), task("b")), Chain(task("a"), task("c"))), task("d"))
        let all = "1 of 2 done, 1 in flight (of all for this actor)"
        #expect(
            drawn(
                beside,
                [
                    "a": .init(total: 2, sent: 2, succeeded: 1), "b": .init(total: 1, sent: 1), "c": .init(total: 1),
                    "d": .init(total: 1),
                ])
                == [
                    "1 of 5 done, 2 in flight", "1 of 4 done, 2 in flight", "?", "done", "0 of 1 done, 1 in flight",
                    "?", all, "not begun", "not begun",
                ])
        // Copies of a chain are not in step.
        let copies = Group(children: (0..<2).map { _ in Chain(task("a"), task("b"), task("a")).node })
        #expect(
            drawn(copies, ["a": .init(total: 4, sent: 3, succeeded: 2), "b": .init(total: 2, sent: 2, succeeded: 1)])
                .filter { $0.contains("of all") }.count == 2)
    }

    @Test func tasksThatWereAddedAreCountedWithTheOthers() {
        let node = Chain(task("a"), task("b"))
        #expect(
            drawn(node, ["a": .init(total: 4, sent: 4, succeeded: 2), "b": .init(total: 1), "x": .init(total: 1)])
                == ["?", "2 of 4 done, 2 in flight (of all for this actor)", "not begun"])
        #expect(drawn(node, [:]) == ["?", "?", "?"])
        #expect(drawn(task("a"), ["a": .init(total: 1, sent: 1)]) == ["0 of 1 done, 1 in flight"])
    }

    @Test func statesAreInTheDrawing() throws {
        let diagram = try #require(
            status(
                WorkflowDiagram(Chain(task("a"), Group(task("b"), task("c"))).node),
                [
                    "a": .init(total: 1, sent: 1, succeeded: 1), "b": .init(total: 1, sent: 1, failed: 1),
                    "c": .init(total: 1, sent: 1),
                ]
            ).diagram)
        #expect(
            diagram.rendered() == """
                chain     1 failed, 1 of 3 done, 1 in flight
                ├─ a      done
                └─ group  1 failed, 0 of 2 done, 1 in flight
                   ├─ b   1 failed, 0 of 1 done
                   └─ c   0 of 1 done, 1 in flight
                """)
        #expect(diagram.rendered(as: .mermaid).contains(#"n3["b<br/>1 failed, 0 of 1 done"]:::failed"#))
        #expect(diagram.rendered(as: .dot).contains(##"n3 [label="b\n1 failed, 0 of 1 done", fillcolor="#ffcdd2"]"##))
    }
}
