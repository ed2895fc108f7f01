/// Dates of a fixed form, written without strings in between: listings and signatures make thousands of them.
public enum DateTemplate {
    /// The template with decimal numbers in the places named, each as wide as it says, with leading zeros. A number that is
    /// too large is shown as nines, a negative one as zero.
    /// - Parameter template: ASCII.
    public static func fill(_ template: StaticString, _ fields: (place: Int, width: Int, number: Int)...) -> String {
        let size = template.utf8CodeUnitCount
        return String(unsafeUninitializedCapacity: size) { text in
            text.baseAddress!.initialize(from: template.utf8Start, count: size)
            for field in fields {
                var rest = max(0, field.number)
                for place in (field.place..<field.place + field.width).reversed() {
                    text[place] = UInt8(ascii: "0") + UInt8(rest % 10)
                    rest /= 10
                }
                if rest > 0 {
                    for place in field.place..<field.place + field.width { text[place] = UInt8(ascii: "9") }
                }
            }
            return size
        }
    }
}
