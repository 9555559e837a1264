import FeedServer
import NIOCore

/// Passes one client's frames through the faults of its connection.
struct FaultyLane {
    let client: ReplayClient
    private let filter: FrameFilter
    private let fragmentBytes: Int?
    private(set) var output = Outgoing()
    /// The number of faults carried out, by name.
    private(set) var faults: [String: Int] = [:]
    /// How the connection ends, once it is known.
    private(set) var ending: Fault?

    init(_ client: ReplayClient) {
        self.client = client
        filter = client.filter
        fragmentBytes = client.fragmentBytes
    }

    /// Adds a frame and what the faults add to it; a frame that the client doesn't want isn't counted.
    mutating func append(_ frame: FrameBlock.Frame, of block: FrameBlock, _ spent: inout Set<Int>) {
        guard filter.filter(frame, of: block) != .nothing else { return }
        let decision = client.nextDecision(spent: &spent)
        output.bytes.writeImmutableBuffer(decision.addition)
        for fault in decision.adding { faults[fault.name, default: 0] += 1 }
        if decision.isQueued {
            var late = Outgoing()
            late.append(frame, of: block, filter, fragmentBytes: fragmentBytes)
            if let first = client.queue(late, sendsFirst: decision.sendsFirst) { output += first }
        } else {
            output.append(frame, of: block, filter, fragmentBytes: fragmentBytes)
        }
        if fragmentBytes.map({ frame.end - frame.textStart > $0 }) == true { faults["fragment", default: 0] += 1 }
        if decision.isSentTwice {
            output.append(frame, of: block, filter, fragmentBytes: fragmentBytes)
            faults["duplicate-every", default: 0] += 1
        }
        ending = decision.ending
        if let ending { faults[ending.name, default: 0] += 1 }
    }

    /// Ends the connection, or lets it fall silent, as decided.
    func carryOutEnding() {
        switch ending {
        case .dropEvery: client.connection.drop()
        case .resetEvery: client.connection.reset()
        case .stallAfter: client.stall()
        case .closeCode(let code, _): client.connection.close(code: code, reason: "simulated fault (close-code)")
        case .slowConsumer: client.connection.close(code: 1008, reason: "slow consumer", status: .tooSlow)
        default: break
        }
    }
}
