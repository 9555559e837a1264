import MarketData
import Testing

@Suite(.timeLimit(.minutes(1))) struct SecretTests {
    struct Holder {
        var key = Secret("hunter2")
        var name = "feed"
    }

    @Test func `no way of printing shows a secret`() {
        let secret = Secret("hunter2")
        var dumped = ""
        dump(Holder(), to: &dumped)
        let printed = [
            "\(secret)", secret.description, String(describing: secret), String(reflecting: secret),
            secret.debugDescription, "\(Optional(secret) as Any)", "\([secret])", "\(["key": secret])", "\(Holder())",
            String(reflecting: Holder()), "\(Mirror(reflecting: secret).children.map(\.value))", dumped,
        ]
        for text in printed { #expect(!text.contains("hunter2")) }
        for text in printed.prefix(9) { #expect(text.contains("••••")) }
    }

    @Test func `the mask does not tell the length`() {
        #expect(Secret("").description == Secret("a much longer secret").description)
    }

    @Test func `a secret is revealed where it is asked for, and compares by value`() {
        #expect(Secret("hunter2").reveal() == "hunter2")
        #expect(Secret("a") == Secret("a"))
        #expect(Secret("a") != Secret("b"))
    }
}
