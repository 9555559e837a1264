/// Why a workbook can't be read.
struct WorkbookError: Error {
    let text: String

    init(_ text: String) { self.text = text }
}
