import Foundation
import TestSupport
import Testing
import Wire

@Suite(.timeLimit(.minutes(1))) struct WireContractTests {
    private static let page = Places.repository + "/docs/json.md"

    @Test func `docs/json.md is what the types say`() throws {
        if ProcessInfo.processInfo.environment["EDGETICK_WRITE_DOCS"] != nil {
            try WireContract.markdown.write(toFile: Self.page, atomically: true, encoding: .utf8)
        }
        let text = try String(contentsOfFile: Self.page, encoding: .utf8)
        #expect(text == WireContract.markdown, "EDGETICK_WRITE_DOCS=1 make test ONLY=WireContract writes it")
    }

    @Test func `every member is spelled alike, times end in _ms, and meanings are those of members`() {
        for answer in WireContract.answers { check(answer.type, answer.object) }
    }

    private func check(_ type: any WireObject.Type, _ object: Schema.Object?) {
        guard let object else {
            Issue.record("\(type) is no object")
            return
        }
        let names = Set(object.members.map(\.name))
        #expect(Set(type.meanings.keys).subtracting(names) == [], "\(type)")
        #expect(Set(type.bounds.keys).subtracting(names) == [], "\(type)")
        for name in names {
            #expect(name.wholeMatch(of: /[a-z][a-z0-9]*(_[a-z0-9]+)*/) != nil, "\(type).\(name)")
            #expect(name.wholeMatch(of: /.*(_at|_date|milliseconds|_time)/) == nil || type is WebsocketStatusJSON.Type)
        }
    }
}
