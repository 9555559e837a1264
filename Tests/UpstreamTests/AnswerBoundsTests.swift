import Testing

@testable import Upstream

@Suite(.timeLimit(.minutes(1))) struct AnswerBoundsTests {
    @Test func `an answer may have so many bytes of its own`() {
        var bounds = AnswerBounds(received: 1000, mostBytes: 50)
        #expect(bounds.fault(received: 1050, remaining: .seconds(1)) == nil)
        #expect(bounds.fault(received: 1051, remaining: .seconds(1))?.contains("longer") == true)
    }

    @Test func `what lies ready behind the deadline is read, however long behind, but not for long`() {
        var bounds = AnswerBounds(received: 0)
        #expect(bounds.fault(received: 1, remaining: .seconds(1)) == nil)
        #expect(bounds.fault(received: 2, remaining: .seconds(-600)) == nil)
        #expect(bounds.fault(received: 3, remaining: .seconds(-604)) == nil)
        #expect(bounds.fault(received: 4, remaining: .seconds(-606))?.contains("keeps sending data") == true)
    }
}
