import COpenSSL

/// Bytes of OpenSSL's random generator, fit for keys.
public func randomBytes(_ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        precondition(RAND_bytes(buffer.baseAddress, Int32(count)) == 1, "no randomness")
        initialized = count
    }
}
