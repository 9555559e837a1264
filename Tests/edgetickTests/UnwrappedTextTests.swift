import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct UnwrappedTextTests {
    @Test func `a paragraph is one line, and examples keep theirs`() {
        let text = """
            Examples: edgetick verify
                      edgetick verify --quick

            Reads only,
            also while a collector runs.

            Try it:   edgetick demo
              twice

            Look:     edgetick status
            Check:    edgetick doctor
            """
        #expect(
            text.unwrapped == """
                Examples: edgetick verify
                          edgetick verify --quick

                Reads only, also while a collector runs.

                Try it:   edgetick demo
                  twice

                Look:     edgetick status
                Check:    edgetick doctor
                """)
    }
}
