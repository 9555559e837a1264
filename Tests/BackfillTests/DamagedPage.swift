import Foundation
import Testing

/// Overwrites the page of a file that has a text on it.
func damagePage(of text: String, in path: String) throws {
    let file = URL(fileURLWithPath: path)
    var bytes = try Data(contentsOf: file)
    let page = try #require(bytes.range(of: Data(text.utf8))?.lowerBound) / 4096 * 4096
    bytes.replaceSubrange(page..<page + 4096, with: Data(repeating: 0xA5, count: 4096))
    try bytes.write(to: file)
}
