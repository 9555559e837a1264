import MarketData
import TestSupport

@testable import Feed
@testable import Store

/// A feed, the connections to it, the set that decides between them, and a file, on clocks that the model sets. The
/// parts that decide are the product's own. Times are in milliseconds of the true clock.
final class ModelWorld {
    /// What went into the file, in order.
    private enum Entry {
        case row(ModelEvent, slot: Int, received: Int64)
        case gaps(GapChange)
    }

    static let start: Int64 = 1_795_630_020_000
    private let end: Int64
    private let delay: Int64
    private var random: SeededRandom
    private let pool: [Symbol]
    private let kinds: [EventKind]
    private let set: SetConfiguration
    private let slots: Int
    private let capacity: Int?
    private let feed: ModelFeed
    private let endpoint: FeedEndpoint
    private var nextEvent = 0
    private var time = ModelWorld.start
    /// How far this machine's clock is ahead.
    private var clock: Int64
    private var suspendedUntil = Int64.min
    private var feedDownUntil = Int64.min
    private var fullUntil = Int64.min

    private var isRunning = false
    private var lines: [Int: ModelLine] = [:]
    private var machine: SetMachine
    private var unplaced = UnplacedLedger()
    private var brought = BroughtSymbols()
    private var sightings: Sightings
    private var pulse = Int64.max
    private var life: PreviousLife?
    private let configured: [[Symbol]]

    private var log: [(time: Int64, entry: Entry)] = []
    /// The last sign of life in the file, when the file was made, and when the next sign of life is due.
    private var alive: Int64 = 0
    private var made: Int64?
    private var signOfLife: Int64 = 0
    /// Since when the feed has sent each wanted channel.
    private var owed: [FeedChannel: Int64] = [:]
    private var mustHave: [ModelEvent] = []
    /// What happened, for finding out why a run failed.
    private(set) var story: [String] = []

    init(seed: UInt64, seconds: Int64 = 100) throws {
        endpoint = try FeedEndpoint(url: "wss://feed.example/stocks", allowsPlaintext: false)
        var random = SeededRandom(seed: seed)
        pool = ["A", "B", "C", "D", "E"].compactMap { Symbol($0) }
        kinds = [[.trade], [.trade, .secondBar], [.trade, .minuteBar]].randomElement(using: &random) ?? []
        delay = Int.random(in: 0..<4, using: &random) == 0 ? 900_000 : 0
        clock = [0, 0, -2000, 2000].randomElement(using: &random) ?? 0
        slots = [1, 1, 2, 3].randomElement(using: &random) ?? 1
        capacity = Int.random(in: 0..<4, using: &random) == 0 ? 2 : nil
        var set = SetConfiguration()
        set.strategy = RoutingStrategy.allCases.randomElement(using: &random) ?? .manual
        set.redundant = slots > 1 && Int.random(in: 0..<3, using: &random) == 0 ? .all : .none
        set.failover = FailoverRules(grace: .seconds(5), recovery: .seconds(8), longestRecovery: .seconds(16))
        self.set = set
        end = Self.start + seconds * 1000
        feed = ModelFeed(pool, kinds, from: Self.start, to: end, delay: delay, &random)
        configured = [Array(pool[0..<2]), [pool[2]], [pool[3]]].prefix(slots).map(\.self)
        machine = SetMachine(set)
        sightings = Sightings(memory: set.memory, limit: 1 << 19)
        self.random = random
    }

    private func draw(_ range: ClosedRange<Int64>) -> Int64 { .random(in: range, using: &random) }
    private func chance(_ one: Int64, of many: Int64) -> Bool { draw(1...many) <= one }

    private var now: FeedMoment {
        FeedMoment(monotonic: .milliseconds(time - Self.start + 1_000_000), wall: time + clock)
    }

    private func tell(_ what: String) { story.append("\(time - Self.start) \(what)") }

    // MARK: The process

    private func configuration(_ slot: Int) -> FeedConfiguration {
        var configuration = FeedConfiguration(
            name: "connection_\(slot)", endpoint: endpoint, apiKey: Secret("key"), events: Set(kinds))
        configuration.feedDelay = delay
        configuration.previousLife = life
        configuration.reconnect.firstDelay = .seconds(1)
        configuration.reconnect.cap = .seconds(5)
        return configuration
    }

    private func begin() {
        isRunning = true
        if made == nil { (made, alive) = (time + clock, time + clock) }
        signOfLife = time + 30_000
        machine = SetMachine(set)
        unplaced = UnplacedLedger()
        brought = BroughtSymbols()
        sightings = Sightings(memory: set.memory, limit: 1 << 19)
        pulse = time + 1000
        for slot in 0..<slots {
            machine.add(.init(slot: slot, priority: slot + 1, capacity: capacity), now: now.monotonic)
            machine.configure(slot, configured[slot])
            brought.delays[slot] = delay
            lines[slot] = ModelLine(
                name: "connection_\(slot)", machine: .init(configuration: configuration(slot), interest: .symbols([])))
        }
        decide()
        for slot in 0..<slots { input(slot) { $0.start($1) } }
    }

    /// The process is gone; what was not committed is lost, and the next one reads the file.
    private func kill() {
        tell("kill")
        let commit = time - draw(0...400)
        log.removeAll { $0.time > commit }
        gone()
    }

    /// The process ends in order.
    private func stop() {
        tell("stop")
        for slot in lines.keys.sorted() { input(slot) { $0.stop($1) } }
        let until = time + 3000
        while lines.values.contains(where: { $0.machine.state != .stopped }), time < until { step(upTo: until) }
        if let change = unplaced.note([], now, configuration(0)) { append(.gaps(change)) }
        alive = time + clock
        gone()
    }

    private func gone() {
        isRunning = false
        lines = [:]
        let wanted = Set(configured.joined())
        for channel in owed.keys where channel.symbol.map({ !wanted.contains($0) }) ?? false { owed[channel] = nil }
        mustHave.removeAll { event in event.channel.symbol.map { !wanted.contains($0) } ?? false }
    }

    /// What the store reads from its file when it starts.
    private func readFile() {
        var times = FileTimes(alive: alive, made: made)
        var lasts: [EventKind: [Int: FileTimes.Times]] = [:]
        for case .row(let event, let slot, let received) in log.lazy.map(\.entry) {
            let row = FileTimes.Times(event: event.time, received: received)
            times.rows[event.channel.kind, default: []].append(row)
            lasts[event.channel.kind, default: [:]][slot] = row
        }
        for kind in kinds { times.rows[kind] = times.rows[kind]?.suffix(500) }
        times.lasts = lasts.mapValues { Array($0.values) }
        guard let read = times.life(now: time + clock) else { return life = nil }
        let gaps = recorded(endedBy: read)
        log.removeAll { if case .gaps = $0.entry { true } else { false } }
        log.insert((0, .gaps(GapChange(gaps: gaps))), at: 0)
        let first = min(read.end, read.newest.values.min() ?? read.end)
        life = times.life(now: time + clock, told: gaps.filter { ($0.to ?? .max) >= first })
    }

    /// The gaps in the file; those still open end with the life.
    private func recorded(endedBy life: PreviousLife? = nil) -> [Gap] {
        var gaps: [Gap] = []
        for case .gaps(let change) in log.lazy.map(\.entry) {
            for gap in change.ended { if let place = gaps.firstIndex(of: gap) { gaps.remove(at: place) } }
            gaps += change.gaps
        }
        guard let life else { return gaps }
        gaps.removeAll { $0.to == nil && $0.from >= life.lossesEnd }
        for index in gaps.indices where gaps[index].to == nil { gaps[index].to = life.lossesEnd }
        return gaps
    }

    private func append(_ entry: Entry) { log.append((time, entry)) }

    // MARK: What the set does

    private func decide() {
        for slot in lines.keys.sorted() {
            lines[slot]?.show()
            guard let line = lines[slot] else { continue }
            let isUp = line.machine.isUp
            sightings.observe(slot, line: isUp ? line.machine.reconnects : nil, now: now.monotonic)
            machine.observe(
                slot,
                .init(
                    isUp: isUp, standing: isUp ? Set(line.confirmed) : [], isSettled: line.machine.isSettled,
                    isQuiet: line.machine.subscription.leaving.isEmpty),
                now: now.monotonic)
            if set.redundant != .none { brought.confirmed(slot, isUp ? Set(line.confirmed) : [], wall: now.wall) }
        }
        for action in machine.advance(now: now.monotonic) {
            switch action {
            case .share(let sharings): sightings.share(sharings)
            case .interest(let slot, let interest): input(slot, decides: false) { $0.want(interest, $1) }
            case .stop: break
            }
        }
        if let change = unplaced.note(machine.unplaced, now, configuration(0)) { append(.gaps(change)) }
    }

    private func offer(_ batch: EventBatch, from slot: Int) -> Admission {
        if time < fullUntil { return .refused }
        guard !sightings.behind.contains(slot) else { return .outdated }
        var batch = batch
        if !sightings.isEmpty { sightings.filter(&batch, from: slot, now: now.monotonic) }
        for number in batch.numbers { append(.row(byNumber[number], slot: slot, received: now.wall)) }
        return .accepted
    }

    private lazy var byNumber = feed.events.sorted { $0.number < $1.number }

    // MARK: What a connection does

    private func input(
        _ slot: Int, decides: Bool = true,
        _ body: (inout FeedConnection.StateMachine, FeedMoment) -> [FeedConnection.StateMachine.Action]
    ) {
        guard lines[slot] != nil else { return }
        let version = lines[slot]?.machine.subscription.version
        let status = lines[slot]?.machine.status
        var queue = body(&lines[slot]!.machine, now)
        while !queue.isEmpty { queue += perform(queue.removeFirst(), slot) }
        guard decides, isRunning, let line = lines[slot] else { return }
        if line.machine.subscription.version != version || line.machine.status != status { decide() }
    }

    private func perform(
        _ action: FeedConnection.StateMachine.Action, _ slot: Int
    ) -> [FeedConnection.StateMachine.Action] {
        switch action {
        case .connect:
            lines[slot]?.drop()
            let isRefused = time < feedDownUntil
            lines[slot]?.arrive(isRefused ? .failed : .opened, at: time + draw(5...400))
        case .login: send(slot, "login")
        case .send(let texts): for text in texts { send(slot, text) }
        case .ping: send(slot, "ping")
        case .close: send(slot, "close")
        case .abandon:
            lines[slot]?.drop()
            return lines[slot]!.machine.closed(nil, now, jitter: Double.random(in: 0...1, using: &random))
        case .awaitRoom: lines[slot]?.roomAt = max(time, fullUntil) + 50
        case .record(let change):
            let since = lines.compactMapValues { $0.machine.connectedSince?.wall }
            let rest = lines[slot]!.covered.rest(of: change) { brought.rest(of: $0, on: slot) { since[$0] } }
            tell("\(slot) has \(change.gaps.map(MachineDriver.text)), records \(rest.gaps.count) of them")
            if !rest.ended.isEmpty || !rest.gaps.isEmpty { append(.gaps(rest)) }
        case .incident, .note, .fault, .finish: break
        }
        return []
    }

    private func send(_ slot: Int, _ text: String) {
        guard let line = lines[slot], line.isOpen else { return }
        let at = max(time + draw(5...100), line.outbound.last?.at ?? 0)
        lines[slot]?.outbound.append((at, text))
    }

    /// The feed takes a request.
    private func serve(_ slot: Int, _ text: String) {
        guard lines[slot]?.isServed == true || text == "close" else { return }
        tell("feed \(slot) takes \(text.filter { $0 != "\"" })")
        func answer(_ item: ModelLine.Item) { lines[slot]?.arrive(item, at: time + draw(5...60)) }
        func status(_ word: String, _ message: String = "") {
            answer(.status(FeedStatus(status: word, message: message)))
        }
        switch text {
        case "login": status("auth_success")
        case "ping": answer(.pong)
        case "close":
            lines[slot]?.subscribed = []
            answer(.closed)
        default:
            let names = text.split(separator: "\"").last { $0.contains(".") } ?? ""
            let channels = names.split(separator: ",").compactMap { FeedChannel($0) }
            if text.contains("unsubscribe") {
                for channel in channels {
                    lines[slot]?.subscribed.remove(channel)
                    status("success", "unsubscribed to: \(channel)")
                }
                return
            }
            for channel in channels where lines[slot]?.subscribed.contains(channel) == false {
                let kind = chance(1, of: 12) ? ModelLine.Answer.allCases.randomElement(using: &random) : .confirmed
                switch kind {
                case .refused: status("error", "not authorized: \(channel)")
                case .refusedNameless: status("error", "not authorized")
                case .ignored: break
                case .confirmed, .silent, nil:
                    lines[slot]?.subscribed.insert(channel)
                    if owed[channel] == nil, let symbol = channel.symbol, machine.wishes[symbol] != nil {
                        owed[channel] = time
                    }
                    if kind != .silent { status("success", "subscribed to: \(channel)") }
                }
            }
        }
    }

    /// A connection reads what has arrived.
    private func read(_ slot: Int) {
        var due = lines[slot]?.inbound.prefix { $0.at <= time }.count ?? 0
        due = min(due, Int(draw(1...12)))
        let items = lines[slot]?.inbound.prefix(due).map(\.item) ?? []
        lines[slot]?.inbound.removeFirst(due)
        input(slot) { machine, now in
            let actions = machine.alive(now)
            machine.seen(now)
            return actions
        }
        var batch = EventBatch(connection: "connection_\(slot)", receivedMicroseconds: now.wall * 1000)
        for case .event(let event) in items { event.add(to: &batch) }
        if !batch.isEmpty, lines[slot]?.isOpen == true {
            input(slot) { machine, now in machine.shown(by: batch, now).map { [.record($0)] } ?? [] }
            switch offer(batch, from: slot) {
            case .refused: return input(slot) { $0.overflowed($1) }
            case .outdated: return input(slot) { $0.fellBehind($1) }
            case .accepted, .acceptedStopReading: input(slot) { $0.took(batch, $1) }
            }
        }
        var statuses: [FeedStatus] = []
        for item in items {
            switch item {
            case .opened:
                lines[slot]?.isOpen = true
                input(slot) { $0.opened($1) }
                lines[slot]?.arrive(.status(FeedStatus(status: "connected", message: "")), at: time + draw(5...60))
            case .failed, .closed:
                input(slot) { $0.received(statuses, $1) }
                lines[slot]?.drop()
                let jitter = Double.random(in: 0...1, using: &random)
                return input(slot) { $0.closed(nil, $1, jitter: jitter) }
            case .status(let status): statuses.append(status)
            case .pong, .event: break
            }
        }
        input(slot) { $0.received(statuses, $1) }
    }

    // MARK: Time

    /// Goes on to the next moment at which something happens.
    private func step(upTo limit: Int64) {
        var next = limit
        if nextEvent < feed.events.count { next = min(next, feed.events[nextEvent].sent) }
        func at(_ deadline: Duration?) -> Int64? {
            deadline.map { Int64(($0 / .milliseconds(1)).rounded(.up)) - 1_000_000 + Self.start }
        }
        let clients =
            [pulse, at(machine.deadline)] + lines.values.map { at($0.machine.deadline) }
            + lines.values.map { $0.inbound.first?.at } + lines.values.map(\.roomAt)
        if isRunning {
            for moment in clients.compactMap(\.self) { next = min(next, max(moment, suspendedUntil)) }
            for line in lines.values { if let moment = line.outbound.first?.at { next = min(next, moment) } }
        }
        time = max(next, time + (next <= time ? 1 : 0))
        while nextEvent < feed.events.count, feed.events[nextEvent].sent <= time {
            emit(feed.events[nextEvent])
            nextEvent += 1
        }
        guard isRunning else { return }
        for slot in 0..<slots {
            while let first = lines[slot]?.outbound.first, first.at <= time {
                lines[slot]?.outbound.removeFirst()
                serve(slot, first.text)
            }
        }
        guard time >= suspendedUntil else { return }
        for slot in 0..<slots {
            while let first = lines[slot]?.inbound.first, first.at <= time { read(slot) }
            if let room = lines[slot]?.roomAt, room <= time {
                lines[slot]?.roomAt = nil
                input(slot) { $0.room($1) }
            }
            input(slot) { $0.tick($1) }
        }
        if pulse <= time {
            pulse = time + 1000
            if time >= signOfLife { (alive, signOfLife) = (time + clock, time + 30_000) }
            for slot in 0..<slots { input(slot) { $0.alive($1) } }
        }
        if let deadline = machine.deadline, deadline <= now.monotonic { decide() }
    }

    private func emit(_ event: ModelEvent) {
        if let since = owed[event.channel], event.sent >= since, event.sent < end - 8000 { mustHave.append(event) }
        for slot in lines.keys.sorted() where lines[slot]?.subscribed.contains(event.channel) == true {
            lines[slot]?.arrive(.event(event), at: time + draw(1...40))
        }
    }

    // MARK: Faults

    private func runUntil(_ moment: Int64) {
        while time < moment { step(upTo: moment) }
    }

    private func fault() {
        let slot = Int(draw(0...Int64(slots - 1)))
        let some = pool.filter { _ in chance(1, of: 3) }
        let isOpen = lines[slot]?.isOpen == true
        switch draw(0...12) {
        case 0 where isOpen: cut(slot)
        case 1 where isOpen: freeze(slot, draw(1000...12_000))
        case 2 where isOpen:
            let pause = draw(200...15_000)
            freeze(slot, pause + 1)
            runUntil(time + pause)
            cut(slot)
        case 3 where isOpen:
            // The feed discards what waits, and says so.
            let pause = draw(1000...20_000)
            freeze(slot, pause + 1000)
            runUntil(time + pause)
            tell("slow consumer \(slot)")
            let first = lines[slot]?.inbound.firstIndex { if case .event = $0.item { true } else { false } }
            if let first { lines[slot]?.inbound.removeSubrange(first...) }
            lines[slot]?.arrive(.status(FeedStatus(status: "slow_consumer", message: "")), at: time)
            lines[slot]?.isServed = false
            lines[slot]?.subscribed = []
        case 4:
            let pause = draw(7000...20_000)
            tell("suspended for \(pause)")
            suspendedUntil = time + pause
            let (begun, keeps) = (time, draw(0...pause - 6500))
            runUntil(suspendedUntil - 1)
            if chance(2, of: 3) { for slot in 0..<slots { discard(slot, since: begun + keeps) } }
        case 5, 6:
            tell("subscribe \(some)")
            machine.want(some, on: chance(1, of: 3) ? slot : nil)
            decide()
        case 7:
            tell("unsubscribe \(some)")
            machine.unwant(some, on: nil)
            for channel in owed.keys where some.contains(where: { $0 == channel.symbol }) { owed[channel] = nil }
            decide()
        case 8, 9:
            // The next process does not know what was asked for while this one ran.
            if chance(1, of: 2) { kill() } else { stop() }
            runUntil(time + draw(50...15_000))
            if chance(1, of: 3) { clock = [0, -2000, 2000].randomElement(using: &random) ?? 0 }
            readFile()
            tell("start, clock \(clock), \(life.map { "\($0.newest.mapValues { $0 - Self.start })" } ?? "no life")")
            begin()
        case 10:
            machine.weights = Dictionary(uniqueKeysWithValues: pool.map { ($0, Double(draw(0...100))) })
            tell("moves \(machine.rebalance(isAsked: true))")
            decide()
        case 11:
            fullUntil = time + draw(100...5000)
            tell("full until \(fullUntil - Self.start)")
        case 12:
            feedDownUntil = time + draw(1000...15_000)
            tell("feed down until \(feedDownUntil - Self.start)")
            for slot in 0..<slots where lines[slot]?.isOpen == true { cut(slot) }
        default: break
        }
    }

    private func freeze(_ slot: Int, _ length: Int64) {
        tell("freeze \(slot) for \(length)")
        lines[slot]?.frozenUntil = time + length
    }

    private func cut(_ slot: Int) {
        guard isRunning, lines[slot]?.isOpen == true else { return }
        tell("cut \(slot)")
        lines[slot]?.drop()
        let jitter = Double.random(in: 0...1, using: &random)
        input(slot) { $0.closed(nil, $1, jitter: jitter) }
    }

    /// The feed discards the events that it sent since a moment and that have not arrived.
    private func discard(_ slot: Int, since: Int64) {
        tell("discard \(slot) since \(max(0, since - Self.start))")
        lines[slot]?.inbound.removeAll { entry in
            if case .event(let event) = entry.item { event.sent >= since } else { false }
        }
    }

    // MARK: What is found

    /// Runs through some faults, and returns what is wrong with the result.
    func run() -> [String] {
        begin()
        let faults = (0..<Int(draw(1...6))).map { _ in draw(Self.start...end - 30_000) }.sorted()
        for moment in faults {
            runUntil(moment)
            fault()
        }
        runUntil(end)
        stop()
        return judge()
    }

    private func judge() -> [String] {
        let gaps = recorded()
        var durable: Set<Int> = []
        var wrong: [String] = []
        for case .row(let event, _, _) in log.lazy.map(\.entry) where !durable.insert(event.number).inserted {
            wrong.append("doubled \(event.channel) \(event.time - Self.start)")
        }
        func covers(_ gap: Gap, _ channel: FeedChannel) -> Bool {
            gap.events.contains(channel.kind)
                && (gap.symbols.isEmpty || channel.symbol.map(gap.symbols.contains) ?? false)
        }
        for event in mustHave where !durable.contains(event.number) {
            guard
                !gaps.contains(where: {
                    covers($0, event.channel) && $0.from <= event.time && event.time <= $0.to ?? .max
                })
            else { continue }
            wrong.append(
                "no gap has \(event.channel) of \(event.time - Self.start + delay), sent \(event.sent - Self.start)")
        }
        let channels = Dictionary(grouping: byNumber, by: \.channel)
        for gap in gaps {
            let text = MachineDriver.text(gap)
            let first = Self.start - delay - (gap.events.contains(.minuteBar) ? 80_000 : 20_000)
            if gap.from < first || gap.to ?? 0 > end + 20_000 {
                wrong.append("too long: \(text)")
            }
            for (channel, events) in channels where set.redundant == .none && covers(gap, channel) {
                // A gap must not hold a long stretch in which nothing is missing.
                var since: Int64?
                for event in events where gap.from <= event.time && event.time <= gap.to ?? .max {
                    guard durable.contains(event.number) else {
                        since = nil
                        continue
                    }
                    since = since ?? event.time
                    if event.time - (since ?? 0) > (channel.kind == .minuteBar ? 150_000 : 75_000) {
                        wrong.append("needless: \(text) of \(channel)")
                        break
                    }
                }
            }
        }
        return wrong
    }

    /// The gaps that were recorded.
    var gaps: [String] { recorded().map(MachineDriver.text) }
}
