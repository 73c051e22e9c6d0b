#if Plugins
    import Dramatiq
    import Testing

    @testable import WorkflowCLI

    @Suite struct DictionaryTrainingTests {
        private func train(_ samples: [String], size: Int = 200, segmentLength: Int = 32) throws -> String {
            let trainer = DictionaryTrainer(segmentLength: segmentLength)
            let content = try trainer.train(samples.map { Array($0.utf8) }, size: size, Cancellation())
            return String(decoding: content, as: UTF8.self)
        }

        private func messages(_ count: Int) -> [Message] {
            (0..<count).map { index in
                Message(
                    queueName: "images", actorName: ["resize", "rotate"][index % 2], args: [.integer(index * 7919)])
            }
        }

        @Test func findsWhatSamplesShare() throws {
            let content = try train([
                "xx summer-holidays yy", "zz summer-holidays", "summer-holidays and more", "winter",
            ])
            #expect(content.contains("summer-holidays"))
            #expect(!content.contains("winter"), "only one sample has it")
        }

        @Test func theMostUsefulComesLast() throws {
            let samples = (0..<10).map { index in
                "common-to-everything \(index) " + (index < 3 ? "rarely-seen-part" : "")
            }
            let content = try train(samples, segmentLength: 16)
            let common = try #require(content.firstRange(of: "common-to"))
            let rare = try #require(content.firstRange(of: "rarely-seen"))
            #expect(rare.lowerBound < common.lowerBound)
        }

        @Test func takesNothingTwiceAndNoMoreThanAsked() throws {
            let samples = (0..<20).map { _ in String(repeating: "abcdefghijkl", count: 30) }
            #expect(try train(samples, size: 1000).count < 40)
            let varied = (0..<60).map { index in "part-number-\(index % 20)-of-the-whole" }
            for size in [6, 50, 100] { #expect(try train(varied, size: size).utf8.count <= size) }
        }

        @Test func leavesIdentifiersOut() throws {
            let id = "0416dd4c-c531-4e8b-ad14-5d18dc658c75"
            let content = try train((0..<5).map { "\"message_id\":\"\(id)\",\"number\":\($0)}" })
            #expect(content.contains("message_id"))
            #expect(!content.contains("c531"))
        }

        @Test func nothingInCommon() throws {
            #expect(try train(["abcdefgh", "ijklmnop", "qrstuvwx"]) == "")
            #expect(try train([]) == "")
            #expect(try train(["short", "abc", "short"]) == "")
        }

        @Test func helpsMessagesThatItHasNotSeen() async throws {
            let training = try await DictionaryTraining(
                [Sample(name: "messages", content: .messages(messages(200)))], size: 1024)
            #expect(training.dictionary.bytes.count <= 1024)
            #expect(training.trainedOn == 200)
            let means = Dictionary(uniqueKeysWithValues: training.judgements.map { ($0.name, $0.mean) })
            let json = try #require(means["json"])
            #expect(try #require(means["zlib with a dictionary"]) < json * 0.5)
            #expect(try #require(means["lz4 with a dictionary"]) < json * 0.6)
            #expect(try #require(means["zlib with a dictionary"]) < (try #require(means["zlib"])))
        }

        @Test func theSameSamplesMakeTheSameDictionary() async throws {
            let sample = Sample(name: "messages", content: .messages(messages(50)))
            let first = try await DictionaryTraining([sample], size: 512).dictionary
            #expect(try await DictionaryTraining([sample], size: 512).dictionary == first)
        }

        @Test func tooLittleToTrainOn() async throws {
            await #expect(throws: DictionaryTrainingError.self) {
                try await DictionaryTraining([Sample(name: "few", content: .messages(messages(7)))], size: 512)
            }
        }
    }
#endif
