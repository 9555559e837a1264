import Collector
import Feed
import FoundationEssentials
import Glibc
import MarketData
import Store
import Universe

/// The checks of `doctor` on this machine. They change nothing.
struct LocalChecks {
    let settings: Settings

    /// The data directory and the files in it.
    func files() -> [Finding] {
        let directory = settings.dataDirectory
        if let problem = directoryProblem() { return [problem] }
        var findings = unusable()
        if findings.isEmpty { findings.append(.ok("files", "\(directory) can be written")) }
        if PrivateFile.isOpenToAll(directory) {
            findings.append(
                .warning("files", "every user of this machine may change \(directory): chmod 700 \(directory)"))
        }
        do throws(StoreError) {
            let report = try BufferReport.read(directory: directory)
            let held = report.holder.map { holder in
                let who = holder.isCollecting ? "the collector" : "another edgetick command"
                return ", held by \(who), process \(holder.processID)"
            }
            let size = "schema \(report.schemaVersion), \(report.pending.counted("row")) to upload"
            findings.append(.ok("files", "ticks.sqlite: \(size)\(held ?? "")"))
            if report.deadLetters > 0 {
                let refused = report.deadLetters.counted("row was", "rows were")
                findings.append(.warning("files", "\(refused) refused upstream; see edgetick dead-letters list"))
            }
            let drops = report.drops.reduce(0) { $0 + $1.count }
            if drops > 0 {
                let dropped = drops.counted("event was", "events were")
                let advice = "the table drops of ticks.sqlite says which, when and why"
                findings.append(.warning("files", "\(dropped) dropped; \(advice)"))
            }
        } catch {
            let absent = Finding.note("files", "ticks.sqlite does not exist yet; the first run creates it")
            findings.append(error.reason == .missing ? absent : .failure("files", error))
        }
        return findings
    }

    /// Files that the collector refuses, or that can be read and not written: of another user, or on a file system that
    /// takes no writes after an error, which only the attempt to open one shows.
    private func unusable() -> [Finding] {
        LocalFile.allCases.compactMap { file in
            let path = settings.dataDirectory + "/" + file.name
            if file == .ticks, isLink(path) {
                return .failure("files", StoreError(.linked, operation: "open", path: path))
            }
            guard access(path, R_OK) == 0 else { return nil }
            let descriptor = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
            guard descriptor < 0 else {
                close(descriptor)
                return nil
            }
            let why = String(cString: strerror(errno))
            return .failure(
                "files",
                "\(path) can't be written (\(why)): check its owner and mode, the mount and the kernel's log", .ioError)
        }
    }

    private func isLink(_ path: String) -> Bool {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) != nil
    }

    private func directoryProblem() -> Finding? {
        let directory = settings.dataDirectory
        var isDirectory = false
        guard FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory) else {
            guard !isLink(directory) else {
                return .failure(
                    "files",
                    "\(directory) is a link to something that is not there: mount the disk that it leads to, or correct "
                        + "EDGETICK_DATA_DIR", .ioError)
            }
            guard access(nearest, W_OK | X_OK) == 0 else {
                return .failure(
                    "files",
                    "\(directory) does not exist, and this user may not write to \(nearest): check EDGETICK_DATA_DIR",
                    .ioError)
            }
            return .note("files", "\(directory) does not exist yet; the first run creates it")
        }
        guard isDirectory, access(directory, R_OK | W_OK | X_OK) == 0 else {
            return .failure(
                "files", "\(directory) is not a directory that this user may write to: check EDGETICK_DATA_DIR",
                .ioError)
        }
        return nil
    }

    /// Files with secrets that other users may open.
    func secrets(in files: [String]) -> [Finding] {
        files.filter { PrivateFile.isOpenToAll($0) }.map {
            .warning("files", "every user of this machine may open \($0), which holds secrets: chmod 600 \($0)")
        }
    }

    /// The version of SQLite that is linked.
    func library() -> Finding {
        let version = SQLiteLibrary.version
        guard SQLiteLibrary.hasWALResetBug else { return .ok("sqlite", "SQLite \(version)") }
        return .note(
            "sqlite",
            "SQLite \(version) can damage a file that two programs write at once (fixed in 3.51.3): let only edgetick "
                + "write to its files; reading with sqlite3 -readonly is safe")
    }

    /// The data directory, or its nearest ancestor that exists.
    private var nearest: String {
        var place = settings.dataDirectory
        while !FileManager.default.fileExists(atPath: place), place.count > 1 {
            place = place.lastIndex(of: "/").map { $0 == place.startIndex ? "/" : String(place[..<$0]) } ?? "."
        }
        return place
    }

    /// Whether there is room for the buffer.
    func disk() -> Finding {
        let place = nearest
        var facts = statvfs()
        guard statvfs(place, &facts) == 0 else {
            return .failure("disk", "\(place): \(String(cString: strerror(errno)))", .ioError)
        }
        let free = Int64(facts.f_bavail) * Int64(facts.f_frsize)
        let held = (try? BufferReport.read(directory: settings.dataDirectory).fileBytes) ?? 0
        let wanted = settings.buffer.maximumBytes - held
        if facts.f_flag & UInt(ST_RDONLY) != 0 {
            return .failure("disk", "\(place) is mounted read-only; mount it read-write", .ioError)
        }
        if free < 64 << 20 { return .failure("disk", "\(free.bytesText) free in \(place); make room", .ioError) }
        if free < wanted {
            return .warning(
                "disk",
                "\(free.bytesText) free in \(place), and the buffer may grow by \(wanted.bytesText): "
                    + "make room, or lower BUFFER_MAX_BYTES")
        }
        return .ok("disk", "\(free.bytesText) free, enough for BUFFER_MAX_BYTES")
    }

    /// Whether a daemon synchronizes the clock, on which receive times and latencies depend.
    func clock() -> Finding {
        let now = WallClock.text(seconds: WallClock.seconds())
        let keepers = [
            "systemd-timesyncd": ["/run/systemd/timesync/synchronized"],
            "chrony": ["/run/chrony/chronyd.pid", "/run/chronyd.pid"], "ntpd": ["/run/ntpd.pid", "/var/run/ntpd.pid"],
        ]
        let running = keepers.filter { $0.value.contains { access($0, F_OK) == 0 } }.keys.sorted()
        guard let keeper = running.first else {
            return .warning(
                "clock", "\(now); no time synchronization found (systemd-timesyncd, chrony, ntpd): start one of them")
        }
        return .ok("clock", "\(now), synchronized by \(keeper)")
    }

    /// Whether the connections' symbols can be resolved.
    func symbols() async -> [Finding] {
        let wishes = settings.wishes
        var plan = SymbolPlan()
        let mirror = try? UniverseMirror.open(directory: settings.dataDirectory, access: .readOnly)
        let resolutions =
            await mirror.map(settings.relationshipCache)?.resolutions(of: SymbolPlan.keys(of: wishes)) ?? [:]
        let findings = wishes.map { wish -> Finding in
            let name = settings.connections.isMulti ? "\(wish.name): " : ""
            if mirror == nil, let key = wish.universeKey {
                return .warning(
                    "symbols",
                    "\(name)universe key \(key) can't be resolved, since there are no groups yet: run edgetick universe pull "
                        + "or import; `run` pulls before it starts if DATABASE_URI is set")
            }
            do {
                let selection = try plan.add(wish, resolutions)
                if wish.universeKey == nil, wish.list == nil, settings.connections.isMulti,
                    settings.connections.rules.strategy != .manual
                {
                    return .ok("symbols", name + "takes its share of the others' symbols")
                }
                let remarks = selection.remarks.map(\.text)
                guard selection.target != .nothing else {
                    return .failure("symbols", name + remarks.joined(separator: "; "), .configuration)
                }
                return remarks.isEmpty
                    ? .ok("symbols", name + selection.summary)
                    : .warning("symbols", name + selection.summary + "; " + remarks.joined(separator: "; "))
            } catch {
                return .failure("symbols", error)
            }
        }
        return findings + settings.coveredTexts(plan).map { .warning("symbols", $0) }
    }
}
