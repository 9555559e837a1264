import ArgumentParser
import Collector
import MarketData
import Store
import Upstream
import Wire

/// Checks the local files without changing them.
struct VerifyCommand: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check the local files: pages, row numbers, values, counts, ledger.",
        discussion: """
            Examples: edgetick verify
                      edgetick verify --file ticks-bad-20260801T093000Z.sqlite --no-upstream

            Changes nothing, works while a collector runs, and reads each file about three times; --quick checks only its
            ends and counts. If DATABASE_URI is set, the database is asked for the ledger and, unless --quick, for every
            uploaded row; --no-upstream leaves that out.
            Exits with 65 if there are faults, 74 if a file can't be read, 69 if the database can't be asked.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Option(help: "A file to verify in place of those in the data directory; may be repeated.", completion: .file())
    var file: [String] = []
    @Flag(help: "Do not read every row and page.") var quick = false
    @Flag(inversion: .prefixedNo, help: "Compare with the database (default: when DATABASE_URI is set).")
    var upstream: Bool?
    @Flag(help: "Print JSON.") var json = false

    var needs: Settings.Needs { upstream == true ? .database : [] }

    func run(_ settings: Settings) async throws {
        var results: [FileVerification] = []
        var failure: UpstreamError?
        for (path, kind) in try settings.localFiles(file, to: "verify") {
            var result = try verify(path, kind)
            if kind == .ticks, upstream != false { failure = try await compare(&result, settings) ?? failure }
            results.append(result)
        }
        if json {
            print(WireJSON.text(of: results.map(VerificationJSON.init)))
        } else {
            let paint = Paint.ofStandardOutput()
            for result in results { printNow(Self.page(result, paint)) }
        }
        if results.contains(where: { !$0.isSound }) { throw ExitCode(ExitStatus.badData.rawValue) }
        if let failure {
            throw CommandFailure(
                CommandFailure(failure).status,
                "the files were not compared with the database; --no-upstream checks the files alone")
        }
    }

    private func verify(_ path: String, _ kind: LocalFile) throws -> FileVerification {
        let rows = ProgressLine(title: "\(kind.name): rows", unit: "rows", quietFor: .seconds(1))
        let pages = ProgressLine(title: "\(kind.name): pages", unit: "KiB", quietFor: .seconds(1))
        let result = try FileVerifier.verify(path, as: kind, isQuick: quick) { progress in
            switch progress {
            case .rows(let read, let total): rows.update(done: Int(read), total: Int(total))
            case .structure(let read, let total): pages.update(done: Int(read >> 10), total: Int(total >> 10))
            }
        }
        rows.finish(done: Int(result.rows))
        return result
    }

    /// Adds the findings of a comparison with the databases.
    ///
    /// - Returns: The error of a database that can't be asked; the others are compared anyway.
    private func compare(_ result: inout FileVerification, _ settings: Settings) async throws -> UpstreamError? {
        guard let id = result.id else { return nil }
        var failure: UpstreamError?
        for uploader in try settings.uploaders(of: id) {
            let role = uploader.configuration.role
            let place = "the database in \(role.setting)"
            do {
                let ledger = try await uploader.ledger(of: result.ledgerIDs)
                let later = try? FileVerifier.verify(result.path, as: .ticks, isQuick: true)
                result.compare(with: ledger, of: uploader.configuration.streams, later: later)
                if !quick { try await compareRows(&result, uploader) }
                result.find(
                    .note, .ledger, at: place,
                    "\(settings.upload.displayedURI(of: role)) was asked for "
                        + (quick ? "the ledger only" : "the ledger and every uploaded row"))
            } catch let error as UpstreamError {
                failure = error
                result.find(.warning, .ledger, at: place, "it can't be asked: \(error.lastDescription)")
            }
            await uploader.disconnect()
        }
        return failure
    }

    private func compareRows(_ result: inout FileVerification, _ uploader: Uploader) async throws {
        for stream in uploader.configuration.streams {
            let line = ProgressLine(title: "\(stream.rawValue): upstream", unit: "rows", quietFor: .seconds(1))
            let rows = try await UploadedRows.compare(stream, of: result, with: uploader) { line.update(done: $0) }
            line.finish(done: rows.count)
            rows.note(stream, in: &result)
        }
    }

    private static func page(_ result: FileVerification, _ paint: Paint) -> String {
        var lines = ["\(result.path.escapingControls)"]
        lines[0] += result.schemaVersion.map { ", schema version \($0)" } ?? ""
        lines[0] += result.id.map { ", id \($0.escapingControls)" } ?? ""
        lines[0] += result.holder.map { ", in use by process \($0)" } ?? ""
        let width = result.streams.keys.map(\.rawValue.count).max() ?? 0
        for stream in EventStream.allCases {
            guard let found = result.streams[stream] else { continue }
            lines.append(
                "  \(stream.rawValue.padded(to: width)) \(found.first ?? 0)…\(found.last ?? 0), acknowledged "
                    + "\(found.acknowledged), deleted through \(found.deletedThrough)")
        }
        for finding in result.findings {
            let word =
                switch finding.severity {
                case .fault: paint("FAULT", .bad)
                case .warning: paint("WARN ", .warning)
                case .note: paint("note ", .faint)
                }
            let advice = finding.advice.isEmpty ? "" : "; \(finding.advice)"
            let text = "\(finding.check.rawValue): \(finding.place): \(finding.text)\(advice)"
            lines.append("  \(word) \(text.escapingControls)")
        }
        let verdict = result.isSound ? paint("sound", .good) : paint(result.count(.fault).counted("fault"), .bad)
        let warnings = result.count(.warning).counted("warning")
        lines.append("  \(verdict), \(result.rows.counted("row")) read, \(warnings)\n")
        return lines.joined(separator: "\n")
    }
}
