"""To which part of the work a sample belongs: the innermost frame that a rule knows decides. Frames of general libraries leave it to their callers."""
import re

# Category, colour, pattern over symbol and library. The first rule that fits a frame counts.
RULES = [
    ("allocation", "#b83280", r"\b_?_?(malloc|calloc|realloc|free|cfree|posix_memalign|_int_malloc|_int_free|malloc_consolidate|unlink_chunk|"
                              r"swift_slowAlloc|swift_slowDealloc|swift_allocObject|swift_deallocClassInstance|swift_task_alloc|swift_task_dealloc|operator new|operator delete)\b|tcache_"),
    ("reference counts", "#d53f8c", r"swift_(retain|release|bridgeObject|unknownObject|beginAccess|endAccess|isUniquely|weak|unowned|arrayDestroy|arrayInit)|RefCount"),
    ("hashes", "#6b46c1", r"EVP_Digest|EVP_MD|sha256_|sha512_|sha1_|md5_|MD5_|SHA256_|_mh_sha|\bHashAlgorithm\b|BodyHashes|\bHasher\.(update|finish)\b.* Checksums\."),
    ("checksums", "#805ad5", r"crc32|crc64|\bChecksums\."),
    ("encryption", "#553c9a", r"libsodium|crypto_(box|secretbox|stream|onetimeauth|core)|salsa20|poly1305|AES_|aesni|gcm_|EVP_(Cipher|Encrypt|Decrypt)|\bEncryption\."),
    ("signature", "#3182ce", r"\bSignatures\.|Authenticator|HMAC|CanonicalRequest|EVP_Q_mac|EVP_MAC"),
    ("bus", "#38a169", r"libzmq|zmq::|zmq_|\bMessageBus\.|\bCZeroMQ\."),
    ("messages", "#68d391", r"libprotobuf-c|protobuf_c_|\bWire\.|martlet__v1__"),
    ("register", "#d69e2e", r"\b(Register|ObjectAccess|Ring|ClusterState)\."),
    ("log", "#975a16", r"\bObjectLog\.|\bCWriteBack\."),
    ("index", "#744210", r"rocksdb|\bMetadataIndex\."),
    ("metrics", "#4a5568", r"\bObservability\.|\bLogging\."),
    ("HTTP", "#2b6cb0", r"\bNIOHTTP1\.|llhttp|\b(Front|FrontLoop|FrontServer|FrontRequest|HTTPConnection|BodyPipe|BodyPlan|ResponseSink|RequestTarget|FramingRules)\b.* Gateway\."),
    ("gateway", "#4299e1", r"\b(Gateway|S3Protocol)\."),
    ("storage", "#ecc94b", r"\b(Storage|Threads)\."),
    ("event loop", "#90cdf4", r"\bNIO\w*\."),
    ("copies", "#f6ad55", r"\b(__)?mem(cpy|move|set|cmp)"),
    ("Swift's tasks", "#718096", r"swift_task|swift_job|swift_continuation|AsyncTask|swift::(runJob|TaskGroup|Job|DefaultActor)|_Concurrency|libdispatch|dispatch_"),
]
# Only where no caller says what it is for.
GENERAL = [
    ("hashes", "#6b46c1", r"libcrypto"),
    ("standard library", "#a0aec0", r"libswiftCore|Foundation|^swift|getGenericMetadata|getWitnessTable"),
    ("C library", "#cbd5e0", r"libc\.so|libpthread|ld-linux|libstdc\+\+|libm\.so"),
]
COMPILED = [(name, re.compile(pattern)) for name, _, pattern in RULES]
COMPILED_GENERAL = [(name, re.compile(pattern)) for name, _, pattern in GENERAL]
KERNEL = [
    ("kernel: network", re.compile(r"tcp|inet|sock|skb|ip_|net_|dev_queue|loopback|sendto|recvfrom|recvmsg|sendmsg|unix_|eth_|__copy_skb|csum")),
    ("kernel: disk", re.compile(r"ext4|jbd2|xfs|vfs_write|vfs_fsync|blk_|bio_|submit_bio|virtblk|virtio|sync|filemap|folio|pagecache|writeback|iomap|generic_perform|pwrite|nvme|readahead")),
    ("kernel: waking and waiting", re.compile(r"futex|epoll|schedule|wake|eventfd|poll|timer|hrtimer|nanosleep|pipe_")),
    ("kernel: memory", re.compile(r"page_fault|mmap|munmap|madvise|alloc_page|free_page|zap_|mm_|vma|clear_page|brk")),
]
COLOURS = {name: colour for name, colour, _ in RULES + GENERAL} | {
    "kernel: network": "#c05621", "kernel: disk": "#9c4221", "kernel: waking and waiting": "#dd6b20", "kernel: memory": "#ed8936", "kernel: other": "#7b341e",
    "unknown": "#e2e8f0"}
# Frames that say nothing about the work: drawing leaves them out.
NOISE = re.compile(r"^(partial apply|thunk|reabstraction|closure #\d+ .* in closure|protocol witness for|\[unknown\]$|generic specialization|merged |implicit closure)|"
                   r"swift_job_run|runJobInEstablished|swift::runJob|completeTask|start_thread|clone3?$|_L_unlock|__libc_start|\bTY\d+_|TQ\d+_")


def category(frames):
    """`frames`: (symbol, library, is in the kernel), the innermost first."""
    if frames and frames[0][2]:
        # The innermost frames of a system call are general; its kind shows further out.
        for symbol, _, kernel in frames:
            if not kernel:
                break
            for name, pattern in KERNEL:
                if pattern.search(symbol):
                    return name
        return "kernel: other"
    for rules in (COMPILED, COMPILED_GENERAL):
        for symbol, library, kernel in frames:
            if kernel:
                continue
            text = f"{symbol} {library}"
            for name, pattern in rules:
                if pattern.search(text):
                    return name
    return "unknown"
