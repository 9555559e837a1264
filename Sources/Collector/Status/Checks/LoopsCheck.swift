extension Health.Check {
    /// The status loop's sample counts as stuck from this age on, in seconds.
    static let sampleLimit = 5.0

    /// Whether every loop of the process makes progress; `age` is the snapshot's own, in seconds.
    static func loops(_ snapshot: CollectorSnapshot, age: Double) -> Self {
        let status = LoopProgress(name: "status", age: age, limit: sampleLimit)
        let stuck = ([status] + snapshot.loops).filter { !$0.isAlive }
        guard stuck.isEmpty else {
            let names = stuck.map { "the \($0.name) loop made no progress for \(Int($0.age)) s" }
            return Self(
                "loops", .failing,
                names.joined(separator: "; ") + "; check whether the disk responds, then restart the collector")
        }
        return Self("loops", ok: "every loop makes progress")
    }
}
