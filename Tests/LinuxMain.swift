// Where the tests start. Without this file SwiftPM looks through an index of the sources for tests of an older library, and so
// has the compiler write one.
import Testing

@main
enum TestRun {
    static func main() async {
        await Testing.__swiftPMEntryPoint() as Never
    }
}
