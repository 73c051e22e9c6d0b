#if Plugins
    import Dramatiq
    import DramatiqFileStorage
    import DramatiqWorkflow
    import Foundation
    import Testing

    @testable import CommandLineSupport
    @testable import WorkflowCLI

    @Suite struct StorageCommandTests {
        private let directory: TemporaryDirectory
        private let store: FileWorkflowStore

        init() throws {
            directory = try TemporaryDirectory()
            store = FileWorkflowStore(directory: directory.location.path, durability: .processFailure)
        }

        private func store(_ text: String, daysAgo days: Double = 0) async throws -> String {
            let reference = try await store.store(Array(text.utf8), completionID: "a")
            let digest = try #require(reference.stringValue).dropFirst("sha256:".count)
            let path = "\(directory.location.path)/\(digest.prefix(1))/\(digest.dropFirst().prefix(1))/\(digest)"
            try FileManager.default.setAttributes(
                [.modificationDate: Date.now.addingTimeInterval(-86_400 * days)], ofItemAtPath: path)
            return path
        }

        private func run(_ arguments: String...) async throws -> Tool.Result {
            try await Tool.run(["storage"] + arguments)
        }

        private func members(_ line: String) throws -> JSONObject {
            try #require(try JSONValue(parsing: line).objectValue)
        }

        @Test func statCounts() async throws {
            _ = try await store("first", daysAgo: 20)
            _ = try await store("second")
            let path = directory.location.path
            let plain = try await run("stat", path)
            #expect(plain.status == 0)
            #expect(plain.output.contains("stored                       2 files, 65 bytes\n"))
            #expect(plain.output.contains("no longer needed             1 file, 32 bytes\n"))
            #expect(plain.output.contains("last needed, the earliest    20 d"))
            #expect(plain.error.isEmpty)
            let json = try members(try await run("stat", path, "--json").output)
            #expect(json["stored"] == 2)
            #expect(json["stored_bytes"] == 65)
            #expect(json["expired"] == 1)
            #expect(json["failures"] == [])
        }

        @Test func verifyNamesWhatIsDamaged() async throws {
            let path = try await store("first")
            _ = try await store("second")
            #expect(try await run("verify", directory.location.path).status == 0)
            var bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
            bytes[bytes.count - 1] ^= 1
            try Data(bytes).write(to: URL(filePath: path))
            let plain = try await run("verify", directory.location.path)
            #expect(plain.status == 1)
            #expect(plain.error == "Can't load '\(path)': The content is not what was stored\n")
            let json = try await run("verify", directory.location.path, "--json")
            #expect(json.status == 1)
            let failures = try #require(try members(json.output)["failures"]?.arrayValue?.elements)
            #expect(failures.map { $0.objectValue?["path"] } == [.string(path)])
            #expect(failures.map { $0.objectValue?["code"] } == ["corrupt"])
        }

        @Test func sweepRemovesAndCanOnlySay() async throws {
            _ = try await store("first", daysAgo: 20)
            _ = try await store("second", daysAgo: 3)
            _ = try await store("third")
            let path = directory.location.path
            #expect(try members(try await run("sweep", path, "--dry-run", "--json").output)["removed"] == 1)
            #expect(
                try members(try await run("sweep", path, "--dry-run", "--older-than", "2d", "--json").output)["removed"]
                    == 2)
            #expect(try await store.directory.statistics().count == 3)
            #expect(try members(try await run("sweep", path, "--json").output)["removed"] == 1)
            #expect(try members(try await run("sweep", path, "--older-than", "48h", "--json").output)["removed"] == 1)
            #expect(try await store.directory.statistics().count == 1)
        }

        @Test func aDirectoryThatIsNotThereIsAnError() async throws {
            for command in ["stat", "verify", "sweep"] {
                let result = try await run(command, directory.location.path + "/none")
                #expect(result.status != 0)
                #expect(result.error.contains("/none': No such file or directory"))
                #expect(result.output.isEmpty)
            }
        }

        @Test func whatIsInTheWayHidesNothingElse() async throws {
            _ = try await store("first", daysAgo: 20)
            let path = try await store("second", daysAgo: 20)
            let inTheWay = (path as NSString).deletingLastPathComponent
            try FileManager.default.removeItem(atPath: inTheWay)
            try Data().write(to: URL(filePath: inTheWay))
            for (command, key, label) in [
                ("stat", "stored", "stored "), ("verify", "intact", "intact "), ("sweep", "removed", "removed "),
            ] {
                let json = try await run(command, directory.location.path, "--json")
                #expect(json.status == 1)
                let members = try members(json.output)
                #expect(members[key] == 1)
                let failures = try #require(members["failures"]?.arrayValue?.elements)
                #expect(failures.map { $0.objectValue?["path"] } == [.string(inTheWay)])
                #expect(failures.map { $0.objectValue?["code"] } == ["unusable"])
                #expect(json.errorLines.count == 1)
                #expect(json.error.contains("'\(inTheWay)': Not a directory"))
                if command != "sweep" {
                    let plain = try await run(command, directory.location.path)
                    #expect(plain.status == 1)
                    #expect(plain.output.contains(label))
                    #expect(plain.output.contains("1 file or directory"))
                }
            }
        }

        @Test(.enabled(if: Tool.canLoseRights)) func anothersDirectoryHidesNothingElse() async throws {
            let kept = try await store("first", daysAgo: 20)
            let locked = (try await store("second", daysAgo: 20) as NSString).deletingLastPathComponent
            #expect((kept as NSString).deletingLastPathComponent != locked)
            let top = directory.location.path
            for name in try FileManager.default.subpathsOfDirectory(atPath: top) + ["."] {
                #expect(chmod(top + "/" + name, 0o777) == 0)
            }
            #expect(chmod(locked, 0) == 0)
            defer { _ = chmod(locked, 0o700) }
            for command in ["stat", "verify", "sweep"] {
                let result = try await Tool.run(
                    ["storage", command, directory.location.path, "--json"], through: Tool.withoutRights)
                #expect(result.status == 1)
                #expect(result.errorLines.count == 1)
                #expect(result.error.contains("'\(locked)': Permission denied"))
                let members = try members(result.output)
                let key = ["stat": "stored", "verify": "intact", "sweep": "removed"][command] ?? ""
                #expect(members[key] == 1)
            }
            #expect(!FileManager.default.fileExists(atPath: kept))
        }

        @Test func aTildeThatNoShellHasReplacedIsRefused() async throws {
            for command in ["stat", "verify", "sweep"] {
                let result = try await run(command, "~/workflows")
                #expect(result.status == 1)
                #expect(result.errorLines.count == 1)
                #expect(result.error.contains("Only a shell replaces '~'"))
            }
        }

        @Test(arguments: [
            "", "d", "5", "5 d", "-5d", "5w", "1.5h", "99999999999999999999d", "9999999999999999d", "36501d",
            "9223372036854775807s", "٣d",
        ])
        func agesHaveAUnit(text: String) {
            #expect(throws: ArgumentFault.self) { try Age.read(text) }
        }

        @Test func agesOfWhatOthersWroteAreAgesOrNone() {
            let now = Date(milliseconds: 1_700_000_000_000)
            func age(_ milliseconds: Double) -> Duration? {
                Age(from: Date(milliseconds: milliseconds), to: now)?.duration
            }
            #expect(age(1_699_999_999_000) == .seconds(1))
            for future in [1e13, 1e300, .infinity] { #expect(age(future) == .zero) }
            for impossible in [-1e300, -.infinity, .nan, -1e19] { #expect(age(impossible) == nil) }
        }

        @Test func agesAreReadAndWritten() throws {
            #expect(try Age.read("0s").duration == .zero)
            #expect(try Age.read("90m").description == "1 h 30 m")
            #expect(try Age.read("16d").description == "16 d 0 h")
            #expect(try Age.read("36500d").duration == .seconds(36_500 * 86_400))
            #expect(Age(.milliseconds(900)).description == "0 s")
            #expect(Age(.seconds(61)).description == "1 m 1 s")
        }
    }
#endif
