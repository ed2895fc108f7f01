import Testing

@testable import MetadataIndex

@Suite struct IndexMemoryTests {
    @Test("However many indexes share the memory, a quarter of it is left over", arguments: [1, 3, 12])
    func shares(indexes: Int) {
        let memory = IndexMemory(limit: 256 << 20, indexes: indexes)
        let buffers = indexes * DatabaseOptions.writeBuffers * memory.writeBufferSize
        #expect(memory.cacheSize + buffers <= memory.limit / 4 * 3)
    }
}
