import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct ReconnectPolicyTests {
    @Test(arguments: [(1, 5.0), (2, 10.0), (3, 20.0), (4, 40.0), (5, 60.0), (60, 60.0)])
    func `waits double from the first delay up to the cap`(failure: Int, ceiling: Double) {
        var policy = ReconnectPolicy()
        var last: ReconnectPolicy.Next?
        for _ in 0..<failure { last = policy.ended(.ordinary, healthyFor: .zero, jitter: 1) }
        #expect(last == .wait(.seconds(ceiling)))
    }

    @Test func `jitter spreads the whole wait, and never makes a tight loop`() {
        for jitter in [0, 0.05, 0.1, 0.5, 1] {
            var policy = ReconnectPolicy()
            #expect(policy.ended(.ordinary, healthyFor: .zero, jitter: jitter) == .wait(.seconds(5) * max(0.1, jitter)))
        }
    }

    @Test func `the first try after a healthy minute is quick and forgets earlier failures`() {
        var policy = ReconnectPolicy()
        for _ in 0..<6 { _ = policy.ended(.ordinary, healthyFor: .zero, jitter: 1) }
        #expect(policy.ended(.ordinary, healthyFor: .seconds(60), jitter: 0.5) == .wait(.milliseconds(500)))
        #expect(policy.failures == 0)
        #expect(policy.ended(.ordinary, healthyFor: .zero, jitter: 1) == .wait(.seconds(5)))
    }

    @Test func `a connection that stands for less than a minute counts as a failure`() {
        var policy = ReconnectPolicy()
        _ = policy.ended(.ordinary, healthyFor: .seconds(59), jitter: 1)
        #expect(policy.ended(.ordinary, healthyFor: .seconds(59), jitter: 1) == .wait(.seconds(10)))
    }

    @Test func `after the allowed failures in a row tries go on at the slowest pace, in error`() {
        var rules = ReconnectRules()
        rules.maximumFailures = 2
        var policy = ReconnectPolicy(rules)
        #expect(policy.ended(.ordinary, healthyFor: .zero, jitter: 0) == .wait(.milliseconds(500)))
        #expect(policy.ended(.ordinary, healthyFor: .zero, jitter: 0) == .waitInError(.seconds(30)))
        #expect(policy.ended(.ordinary, healthyFor: .zero, jitter: 1) == .waitInError(.seconds(60)))
        #expect(policy.ended(.ordinary, healthyFor: .seconds(61), jitter: 1) == .wait(.seconds(1)))
    }

    @Test func `a refused key waits a minute, growing to five`() {
        var policy = ReconnectPolicy()
        let waits = (0..<5).map { _ in policy.ended(.keyRefused, healthyFor: .zero, jitter: 1) }
        #expect(waits == [60, 120, 240, 300, 300].map { .waitInError(.seconds($0)) })
        #expect(policy.ended(.keyRefused, healthyFor: .zero, jitter: 0) == .waitInError(.seconds(270)))
    }

    @Test func `a refused key starts from a minute again after a login that worked`() {
        var policy = ReconnectPolicy()
        for _ in 0..<4 { _ = policy.ended(.keyRefused, healthyFor: .zero, jitter: 1) }
        _ = policy.ended(.ordinary, healthyFor: .seconds(1), jitter: 1)
        #expect(policy.ended(.keyRefused, healthyFor: .zero, jitter: 1) == .waitInError(.seconds(60)))
    }

    @Test(arguments: [(0.0, 30.0), (0.5, 75.0), (1.0, 120.0)])
    func `at the connection limit the other client is given way`(jitter: Double, wait: Double) {
        var policy = ReconnectPolicy()
        let next = policy.ended(.connectionLimit, healthyFor: .seconds(3600), jitter: jitter)
        #expect(next == .waitInError(.seconds(wait)))
    }

    @Test func `whoever is pushed out again and again comes back ever more rarely, until it stood for long`() {
        var policy = ReconnectPolicy()
        func wait(_ seconds: Int) -> ReconnectPolicy.Next {
            policy.ended(.connectionLimit, healthyFor: .seconds(seconds), jitter: 0)
        }
        let waits = (0..<6).map { _ in wait(100) }
        #expect(waits == [30, 60, 120, 240, 240, 240].map { .waitInError(.seconds($0)) })
        #expect(wait(1200) == .waitInError(.seconds(30)))
    }

    @Test func `Retry-After is obeyed, within reason`() {
        var policy = ReconnectPolicy()
        #expect(policy.ended(.tooManyRequests(.seconds(200)), healthyFor: .zero, jitter: 0) == .wait(.seconds(200)))
        #expect(policy.ended(.tooManyRequests(.seconds(86400)), healthyFor: .zero, jitter: 0) == .wait(.seconds(600)))
        #expect(policy.ended(.tooManyRequests(.seconds(1)), healthyFor: .zero, jitter: 0) == .wait(.seconds(30)))
        #expect(policy.ended(.tooManyRequests(nil), healthyFor: .zero, jitter: 1) == .wait(.seconds(120)))
    }
}

extension ReconnectPolicy.Next {
    fileprivate static func wait(_ delay: Duration) -> Self { Self(delay: delay, isFailing: false) }

    fileprivate static func waitInError(_ delay: Duration) -> Self { Self(delay: delay, isFailing: true) }
}
