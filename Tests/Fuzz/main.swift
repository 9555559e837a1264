// Differential fuzzing of the frame decoder: changed frames, made up and from captures, through the decoder, a slow
// reference and Foundation's JSONDecoder. Ends with status 1 at the first difference or hang, and prints the frame.
//
//     decoder-fuzz [--frames N] [--minutes M] [--seed S] [--threads T] [CAPTURE.ndjson …]

import DecoderFuzz
import Foundation
import Synchronization

var frames = Int.max
var minutes = 10.0
var seed = UInt64(Date().timeIntervalSince1970)
var threads = ProcessInfo.processInfo.activeProcessorCount
var corpus: [[UInt8]] = []
var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
    switch argument {
    case "--frames": frames = arguments.popFirst().flatMap(Int.init) ?? frames
    case "--minutes": minutes = arguments.popFirst().flatMap(Double.init) ?? minutes
    case "--seed": seed = arguments.popFirst().flatMap(UInt64.init) ?? seed
    case "--threads": threads = arguments.popFirst().flatMap(Int.init) ?? threads
    default:
        guard let text = FileManager.default.contents(atPath: argument) else {
            FileHandle.standardError.write(Data("usage: see the head of Tests/Fuzz/main.swift\n".utf8))
            exit(64)
        }
        corpus += text.split(separator: UInt8(ascii: "\n")).filter { $0.count < 60_000 }.map { Array($0) }
    }
}

let run = FuzzRun(
    frames: frames, deadline: ContinuousClock.now + .seconds(minutes * 60), seed: seed, threads: max(1, threads),
    corpus: corpus)
say("seed \(seed), \(threads) threads, \(corpus.count) captured frames to change")
exit(run.start() ? 0 : 1)
