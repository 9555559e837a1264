import Logging
import MarketData

/// A set's state, behind one lock: the machine, the connections, and what was decided for them.
struct SetCore: Sendable {
    struct Entry: Sendable {
        var member: SetMember
        var connection: FeedConnection
        var inlet: Inlet
        var meter = RateMeter()
    }

    var machine: SetMachine
    var entries: [Int: Entry] = [:]
    /// Made and not yet running.
    var unstarted: [FeedConnection] = []
    var isEnded = false
    /// Whether the machine's weights are rates that were seen, not guesses.
    var hasRates = false
    private let logger: Logger

    init(machine: SetMachine, logger: Logger) {
        self.machine = machine
        self.logger = logger
    }

    /// The slot of a member, unless it is being removed.
    func slot(of id: String) -> Int? {
        entries.first { $0.value.member.id == id && machine.stations[$0.key]?.removedSince == nil }?.key
    }

    var freeSlot: Int? { (0..<SlotSet.capacity).first { entries[$0] == nil } }

    var routes: SetRoutes {
        var ids = [String?](repeating: nil, count: SlotSet.capacity)
        for (slot, entry) in entries { ids[slot] = entry.member.id }
        return SetRoutes(slots: machine.placed, ids: ids)
    }

    /// Brings the machine up to date with the connections, and does what it decides.
    ///
    /// - Returns: the connections that ended their work here.
    mutating func advance(now: FeedMoment, confluence: Confluence, coverage: Coverage) -> [FeedConnection] {
        for (slot, entry) in entries { observe(slot, entry, now, coverage) }
        var stopped: [FeedConnection] = []
        for action in machine.advance(now: now.monotonic) {
            switch action {
            case .share(let sharings): confluence.share(sharings)
            case .interest(let slot, let interest): entries[slot]?.connection.setInterest(interest)
            case .stop(let slot):
                coverage.remove(slot)
                guard let entry = entries.removeValue(forKey: slot) else { continue }
                entry.connection.stop()
                stopped.append(entry.connection)
            }
        }
        return stopped
    }

    private mutating func observe(_ slot: Int, _ entry: Entry, _ now: FeedMoment, _ coverage: Coverage) {
        let feed = entry.connection.snapshot
        let isUp = feed.status == .connected
        let standing = isUp ? Set(feed.confirmed) : []
        machine.observe(
            slot,
            .init(
                isUp: isUp, standing: standing, isSettled: feed.isSettled, isQuiet: feed.isQuiet,
                standsAll: feed.takesAll && feed.isSettled && feed.confirmedChannels == feed.channels),
            now: now.monotonic)
        if machine.policy.redundant != .none {
            coverage.stands(slot, standing.filter(machine.policy.redundant.contains), wall: now.wall)
        }
    }

    /// Tells in the log what changed about who has failed.
    func logFailures(before: SlotSet) {
        let after = machine.failover.failed
        guard after != before, machine.policy.failsOver else { return }
        for slot in after.subtracting(before) {
            guard let entry = entries[slot] else { continue }
            let own = machine.homes.values.count { $0.contains(slot) }
            let moved = machine.goals.count {
                machine.homes[$0.key]?.contains(slot) == true && !$0.value.contains(slot)
            }
            logger.warning(
                "the connection is down for too long: its symbols go to the others",
                metadata: [
                    "connection": "\(entry.member.configuration.name)", "symbols": "\(own)", "moved": "\(moved)",
                ])
        }
        for slot in before.subtracting(after) {
            guard let entry = entries[slot] else { continue }
            logger.notice(
                "the connection stands again and takes its symbols back",
                metadata: ["connection": "\(entry.member.configuration.name)"])
        }
    }
}
