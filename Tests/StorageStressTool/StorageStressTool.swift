@main
struct StorageStressTool {
    static func main() async throws {}
}
