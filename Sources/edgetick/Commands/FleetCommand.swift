import ArgumentParser
import Collector
import MarketData
import Upstream
import Wire

/// Shows the boxes that share a database.
struct FleetCommand: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "fleet", abstract: "Show all boxes that share DATABASE_URI, the worst first.",
        discussion: """
            Examples: DATABASE_URI=postgresql://… edgetick fleet --watch
                      edgetick fleet --check

            Reads the table edgetick_collectors, into which every collector writes its row; nothing but DATABASE_URI is
            needed. live: its row is up to date. gone: its connection to the database has ended. stale: not seen for a
            minute. stopped: it has shut down cleanly. CLOCK is how far a box's clock is ahead of the database's.

            --check prints one line with the worst state; the exit code is 0 if all boxes are well, 1 if one is degraded,
            2 if one is failing, gone or stale, or if there is none. Other failures exit as every command does.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Print JSON.") var json = false
    @Flag(help: "Show it again every two seconds, until Ctrl-C.") var watch = false
    @Flag(help: "Exit with 0 for ok, 1 degraded, 2 failing.") var check = false
    @Option(help: "Remove from the list a box that will not return.") var forget: String?

    func validate() throws {
        if check { try refuse(["--watch": watch], with: "--check") }
        if forget != nil { try refuse(["--check": check, "--watch": watch, "--json": json], with: "--forget") }
    }

    var needs: Settings.Needs { .database }

    func run(_ settings: Settings) async throws {
        guard let upstream = try settings.upstream() else { return }
        let table = FleetTable(configuration: upstream)
        if let forget { return try await remove(forget, from: table) }
        guard !check else { return try await checkOnce(table) }
        guard watch else { return printNow(try await page(table)) }
        try await TerminalScreen.watch { (text: try await page(table), remark: nil) }
    }

    private func remove(_ id: String, from table: FleetTable) async throws {
        guard try await table.forget(id) else {
            let names = try await table.rows().map(\.report.id)
            let nearest = NearestNames.nearest(to: id, among: names).first.map { "; nearest: \($0)" } ?? ""
            throw CommandFailure(.badData, "there is no box \(id)\(nearest)")
        }
        print("removed \(id) from the list; it reappears when a collector of this name runs".escapingControls)
    }

    private func checkOnce(_ table: FleetTable) async throws {
        let fleet = Fleet(try await table.rows())
        let answer = FleetJSON(fleet)
        if json {
            printNow(WireJSON.text(of: answer) + "\n")
        } else {
            let text = fleet.boxes.count == 1 ? "the one box is well" : "\(fleet.boxes.count) boxes, all are well"
            print("\(answer.status.rawValue): \((answer.headline ?? text).escapingControls)")
        }
        guard answer.status == .ok else { throw ExitCode(Int32(answer.status.severity)) }
    }

    private func page(_ table: FleetTable) async throws -> String {
        let fleet = Fleet(try await table.rows())
        return json
            ? WireJSON.text(of: FleetJSON(fleet)) + "\n"
            : FleetText(fleet: fleet, paint: .ofStandardOutput(), width: TerminalScreen.columns()).page
    }
}
