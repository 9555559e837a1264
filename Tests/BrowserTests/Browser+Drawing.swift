import Foundation

/// What is drawn on the page's canvases, pixel by pixel.
extension Browser {
    /// A candle as it is seen.
    struct Candle: Equatable {
        /// `up`, `down` or `muted`, by its colour.
        var side: String
        /// The middle, in CSS pixels from the canvas's left edge.
        var middle: Int
        /// From the highest to the lowest pixel.
        var height: Int
        /// Whether its body is filled.
        var isFilled: Bool
    }

    /// The candles, from the left, found by their colours.
    func candles() async throws -> [Candle] {
        try await waitForFrame()
        let found = try await evaluate(
            """
            \(Self.copy(of: ".candles"))
            const { width, height } = copy.canvas;
            const { data } = copy.getImageData(0, 0, width, height);
            const probe = document.createElement('span');
            document.body.append(probe);
            const rgb = (name) => {
              probe.style.color = `var(--${name})`;
              return getComputedStyle(probe).color.match(/[0-9]+/g).slice(0, 3).map(Number);
            };
            const sides = ['up', 'down', 'muted'].map((name) => [name, rgb(name)]);
            probe.remove();
            const at = (x, y) => {
              const place = (y * width + x) * 4;
              return sides.find(([, each]) => each.every((part, index) => data[place + index] === part))?.[0];
            };
            const columns = [];
            // Prices are above the volume, and left of the axis.
            for (let x = 0; x < width - 66; x += 1) {
              let [side, top, bottom, count] = [null, null, null, 0];
              for (let y = 12; y < height * 0.75; y += 1) {
                const own = at(x, y);
                if (!own || (own === 'muted' && side === null && y < 30)) continue;
                side ??= own;
                top ??= y;
                bottom = y;
                count += 1;
              }
              columns.push(side && { side, top, bottom, count });
            }
            const candles = [];
            let run = null;
            columns.forEach((column, x) => {
              if (!column) { run = null; return; }
              if (!run || run.side !== column.side) { run = { side: column.side, from: x, columns: [] }; candles.push(run); }
              run.columns.push(column);
            });
            return candles.map(({ side, from, columns }) => {
              const top = Math.min(...columns.map((each) => each.top));
              const bottom = Math.max(...columns.map((each) => each.bottom));
              const inner = columns[1] ?? columns[0];
              return [side, from + Math.floor(columns.length / 2), bottom - top + 1, inner.count > 4];
            });
            """, as: [[Any]].self)
        return found.compactMap { entry in
            guard let side = entry[0] as? String, let middle = entry[1] as? Int, let height = entry[2] as? Int,
                let isFilled = entry[3] as? Bool
            else { return nil }
            return Candle(side: side, middle: middle, height: height, isFilled: isFilled)
        }
    }

    /// A script that draws an element's canvas onto one that may be read as often as one likes.
    private static func copy(of selector: String) -> String {
        """
        const canvas = document.querySelector('\(selector) canvas');
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
        copy.drawImage(canvas, 0, 0);
        """
    }

    /// Whether the canvas of an element has one of the page's colours at a place, in CSS pixels.
    func hasColor(_ name: String, in selector: String, x: Int, y: Int) async throws -> Bool {
        try await waitForFrame()
        return try await evaluate(
            """
            \(Self.copy(of: selector))
            const [red, green, blue] = copy.getImageData(\(x), \(y), 1, 1).data;
            const probe = document.createElement('span');
            document.body.append(probe);
            probe.style.color = 'var(--\(name))';
            const wanted = getComputedStyle(probe).color.match(/[0-9]+/g).slice(0, 3).map(Number);
            probe.remove();
            return wanted[0] === red && wanted[1] === green && wanted[2] === blue;
            """, as: Bool.self)
    }
}
