import Foundation

/// Milliseconds since 1970. For people to read: it orders nothing.
func wallMilliseconds() -> Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }
