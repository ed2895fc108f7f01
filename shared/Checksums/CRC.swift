import CISAL

/// CRC32C (Castagnoli, RFC 3720): guards every record of the object log and every payload on the bus.
public func crc32c(_ bytes: some ContiguousBytesLike, continuing seed: UInt32 = 0) -> UInt32 {
    bytes.withContiguousBytes { buffer in
        // libisal's crc32_iscsi neither inverts at the start nor at the end.
        ~crc32_iscsi(
            UnsafeMutablePointer(mutating: buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)),
            Int32(buffer.count), ~seed)
    }
}

/// CRC32 (ISO-HDLC, as in zlib and S3's `x-amz-checksum-crc32`).
public func crc32(_ bytes: some ContiguousBytesLike, continuing seed: UInt32 = 0) -> UInt32 {
    bytes.withContiguousBytes { buffer in
        crc32_gzip_refl(seed, buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt64(buffer.count))
    }
}
