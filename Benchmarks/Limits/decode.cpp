// The limit of decoding: simdjson's on-demand parser fills columns with the same fields, in the order in which they stand.
// usage: decode FRAMES SECONDS     (FRAMES: one JSON array a line)    prints events a second
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>
#include "simdjson.h"

using namespace simdjson;

struct Bar {
    char symbol[16];
    int64_t start, end;
    double open, high, low, close, volume, vwap, dayVolume, dayOpen, dayVWAP, averageSize;
};

static bool read(ondemand::object event, Bar &bar) {
    std::string_view symbol;
    if (event["sym"].get(symbol) || symbol.size() > 16) return false;
    std::memset(bar.symbol, 0, sizeof bar.symbol);
    std::memcpy(bar.symbol, symbol.data(), symbol.size());
    return !(event["v"].get(bar.volume) || event["av"].get(bar.dayVolume) || event["op"].get(bar.dayOpen)
             || event["vw"].get(bar.vwap) || event["o"].get(bar.open) || event["c"].get(bar.close)
             || event["h"].get(bar.high) || event["l"].get(bar.low) || event["a"].get(bar.dayVWAP)
             || event["z"].get(bar.averageSize) || event["s"].get(bar.start) || event["e"].get(bar.end));
}

int main(int count, char **arguments) {
    if (count != 3) return 64;
    std::ifstream file(arguments[1], std::ios::binary);
    std::vector<padded_string> frames;
    for (std::string line; std::getline(file, line);) frames.emplace_back(line);
    if (frames.empty()) return 65;
    const double seconds = std::atof(arguments[2]);
    ondemand::parser parser;
    std::vector<Bar> bars;
    long events = 0, failed = 0;
    double check = 0;
    const auto start = std::chrono::steady_clock::now();
    double elapsed = 0;
    do {
        for (const auto &frame : frames) {
            bars.clear();
            ondemand::document document;
            if (parser.iterate(frame).get(document)) return 65;
            ondemand::array array;
            if (document.get_array().get(array)) return 65;
            for (auto element : array) {
                ondemand::object event;
                bars.emplace_back();
                if (element.get_object().get(event) || !read(event, bars.back())) failed++;
            }
            events += bars.size();
            check += bars.back().close;
        }
        elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    } while (elapsed < seconds);
    if (failed || check == 0) return 65;
    std::printf("%.0f\n", events / elapsed);
}
