import MarketData
import Testing

@Suite(.timeLimit(.minutes(1))) struct PartsTests {
    @Test func `a collection is cut into parts of at most a size, in order`() {
        let numbers = [1, 2, 3, 4, 5]
        #expect(numbers.parts(of: 2).map { Array($0) } == [[1, 2], [3, 4], [5]])
        #expect(numbers[2...].parts(of: 2).map { Array($0) } == [[3, 4], [5]])
        #expect(numbers.prefix(0).parts(of: 2).isEmpty)
    }
}
