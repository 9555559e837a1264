// The program that `make bench` measures: runs one path of the product at full speed and prints the figures.
//
//     subject decode FRAMES SECONDS              events decoded a second; FRAMES holds one JSON array per line
//     subject append DIRECTORY ROWS EACH [FIRST] rows made durable a second, EACH per transaction
//     subject append-trades DIRECTORY ROWS EACH  the same with trades
//     subject routing                            nanoseconds to find a symbol's connection, among 3,000
//     subject aggregation [redundant]            nanoseconds per event that a set of three connections adds
//     subject snapshot                           microseconds for a snapshot of three connections with 3,000 symbols
//     subject latency DIRECTORY RATE SECONDS [draining]
//                                                p50, p99 and maximum from offer to durable, in milliseconds
//     subject universe DIRECTORY                 several figures of mirror and cache, a name and a value per line

import Foundation

let arguments = CommandLine.arguments.dropFirst().map { $0 }
do {
    switch arguments.first {
    case "decode" where arguments.count == 3:
        print(Int(try decodeRate(frames: arguments[1], seconds: Double(arguments[2]) ?? 1)))
    case "append" where arguments.count >= 4:
        print(
            Int(
                try await appendRate(
                    directory: arguments[1], rows: Int(arguments[2]) ?? 0, each: Int(arguments[3]) ?? 1,
                    first: arguments.count > 4 ? Int(arguments[4]) ?? 0 : 0, of: bars)))
    case "append-trades" where arguments.count == 4:
        print(
            Int(
                try await appendRate(
                    directory: arguments[1], rows: Int(arguments[2]) ?? 0, each: Int(arguments[3]) ?? 1, first: 0,
                    of: trades)))
    case "latency" where arguments.count >= 4:
        let times = try await durableLatency(
            directory: arguments[1], rate: Int(arguments[2]) ?? 0, seconds: Int(arguments[3]) ?? 1,
            draining: arguments.last == "draining")
        print(times.map { String(format: "%.2f", $0) }.joined(separator: " "))
    case "routing": print(String(format: "%.1f", try routingTime()))
    case "aggregation":
        print(String(format: "%.1f", try aggregationTime(redundant: arguments.last == "redundant")))
    case "snapshot": print(String(format: "%.1f", try snapshotTime()))
    case "universe" where arguments.count == 2:
        for figure in try await universeFigures(directory: arguments[1]) {
            print(figure.name, String(format: "%.1f", figure.value))
        }
    default:
        FileHandle.standardError.write(
            Data("usage: subject COMMAND ...; see the top of Benchmarks/Sources/subject/main.swift\n".utf8))
        exit(64)
    }
} catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(74)
}
