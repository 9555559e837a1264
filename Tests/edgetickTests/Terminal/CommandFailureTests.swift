import Backfill
import MarketData
import Store
import Testing

@testable import Collector
@testable import Universe
@testable import Upstream
@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct CommandFailureTests {
    private func exitCode(unreadable reason: StoreError.Reason) -> Int32 {
        CommandFailure(UniverseResolver.unreadable("dow30", StoreError(reason, operation: "read"))).status.rawValue
    }

    @Test func `a universe key is a fault of the settings, a mirror that can't be read is one of the file`() {
        #expect(CommandFailure(UniverseResolver.nameless(" : ")).status.rawValue == 78)
        #expect(exitCode(unreadable: .inputOutput) == 74)
        #expect(exitCode(unreadable: .damaged) == 65)
    }

    @Test func `a file that is damaged ends backfill and reconcile as it ends other commands, and says what to do`() {
        let damage = StoreError(.damaged, operation: "read", path: "/data/ticks.sqlite")
        let failure = CommandFailure(BackfillError(damage))
        #expect(failure.status == .badData && failure.status == CommandFailure(damage).status)
        #expect(failure.lines.count == 1)
        #expect(failure.lines.first?.hasSuffix("run edgetick verify, then edgetick repair") == true)
        #expect(CommandFailure(BackfillError(StoreError(.inputOutput, operation: "read"))).status == .ioError)
        #expect(CommandFailure(BackfillError(.buffer, "something else")).status == .ioError)
    }

    @Test func `an upload whose server did not come back says that rows were on the way`() {
        var report = UploadReport()
        report.problem = UpstreamError(.connectionLost, "connect to the database", "connection refused")
        #expect(CommandFailure(report)?.lines.count == 1)
        report.failures[.trades] = UpstreamError(.connectionLost, "COPY into public.trades", "the session ended")
        let failure = CommandFailure(report)
        #expect(failure?.status == .unavailable && failure?.lines.count == 2)
        #expect(failure?.lines.first?.hasPrefix("the connection was lost while rows were sent") == true)
    }

    @Test func `letters that only a database could judge lack a service, and no file failed`() {
        #expect(CommandFailure(DeadLettersInDoubt(names: ["trades:4"])).status == .unavailable)
    }
}
