#if os(Linux)
    import Foundation
    import TestSupport
    import Testing

    @testable import DramatiqFileStorage

    private enum Tracing {
        /// Some containers don't let processes look into others.
        static let isAllowed: Bool = {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = ["strace", "-f", "-o", "/dev/null", "true"]
            process.standardError = FileHandle.nullDevice
            guard (try? process.run()) != nil else { return false }
            process.waitUntilExit()
            return process.terminationStatus == 0
        }()
    }

    /// The order in which the system is asked to write, as `strace` sees it: no test can cut the power.
    @Suite(.enabled(if: Tracing.isAllowed, "processes may not be traced here"), .timeLimit(.minutes(10)))
    struct DurabilityTests {
        private struct Call: Equatable {
            let name: String
            let path: String
        }

        private let scratch: ScratchDirectory
        private var directory: String { scratch.path + "/new/parents/storage" }

        init() throws {
            scratch = try ScratchDirectory()
        }

        /// Stores a content in a process and returns its calls that made names or synchronized something.
        private func trace(_ arguments: String...) async throws -> [Call] {
            let log = scratch.path + "/trace-\(UUID().uuidString)"
            let tracer = [
                "strace", "-f", "-y", "-s", "4096", "-e", "trace=/^(mkdir(at)?|fsync|fdatasync|rename(at2?)?)$", "-o",
                log,
            ]
            let output = try await StressProcess.run(
                ["attempt", directory, "--store", "1000"] + arguments, in: scratch, tracer: tracer)
            #expect(output == "ok\n")
            return try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").compactMap { call($0) }
        }

        /// Reads a line such as `17 renameat(6</a/b>, ".tmp", 6</a/b>, "c") = 0`.
        private func call(_ line: Substring) -> Call? {
            guard let match = line.firstMatch(of: /^\d+\s+(mkdir|fsync|fdatasync|rename)(at2?)?\((.*)\) = 0/) else {
                return nil
            }
            let arguments = match.output.3
            let directory = arguments.matches(of: /<([^>]*)>/).last.map { String($0.output.1) }
            let name = arguments.matches(of: /"([^"]*)"/).last.map { String($0.output.1) }
            let path =
                name?.hasPrefix("/") == true ? name : [directory, name].compactMap(\.self).joined(separator: "/")
            return Call(name: String(match.output.1), path: path ?? "")
        }

        private func parent(_ path: String) -> String { (path as NSString).deletingLastPathComponent }

        @Test func everythingIsOnTheDiskBeforeTheReferenceIsReturned() async throws {
            let calls = try await trace()
            let rename = try #require(calls.firstIndex { $0.name == "rename" })
            let leaf = parent(calls[rename].path)
            // The content before it has its name, the name afterwards.
            #expect(
                calls[..<rename].contains {
                    $0.name == "fsync" && $0.path.hasPrefix(leaf + "/" + ContentFiles.temporaryPrefix)
                })
            #expect(calls[rename...].contains(Call(name: "fsync", path: leaf)))
            // The names of new directories: two parents, the directory, two below it.
            let made = calls.indices.filter { calls[$0].name == "mkdir" }
            #expect(
                made.map { calls[$0].path } == [
                    scratch.path + "/new", scratch.path + "/new/parents", directory, parent(leaf), leaf,
                ])
            for index in made {
                #expect(
                    calls[index..<rename].contains(Call(name: "fsync", path: parent(calls[index].path))),
                    "\(calls[index].path)")
            }
        }

        @Test func whatIsThereIsMadeDurableBeforeItIsReferredToAgain() async throws {
            _ = try await trace("--unsynced")
            let calls = try await trace()
            let file = try #require(
                FileManager.default.enumerator(atPath: directory)?.compactMap { $0 as? String }
                    .first { $0.count > 64 })
            #expect(!calls.contains { $0.name == "rename" })
            #expect(calls.contains(Call(name: "fsync", path: directory + "/" + file)))
            #expect(calls.contains(Call(name: "fsync", path: parent(directory + "/" + file))))
        }

        @Test func withoutDurabilityNothingIsWaitedFor() async throws {
            let calls = try await trace("--unsynced")
            #expect(calls.contains { $0.name == "rename" })
            #expect(!calls.contains { $0.name == "fsync" || $0.name == "fdatasync" })
        }
    }
#endif
