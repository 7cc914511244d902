import { decompress as decompressZstd } from 'fzstd';
import kafkajs from 'kafkajs';
import { compressFrame, decompressFrame } from 'lz4-napi';
import { compress as compressSnappy, uncompress } from 'snappy';

const { CompressionCodecs, CompressionTypes } = kafkajs;

/** What kafkajs asks of a codec. */
type Codec = {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(bytes: Buffer): Promise<Buffer>;
};

/** Teaches kafkajs the codecs that it knows by number only; gzip it brings. Safe to repeat. */
export function registerCodecs(): void {
  CompressionCodecs[CompressionTypes.Snappy] = () => snappy;
  CompressionCodecs[CompressionTypes.LZ4] = () => lz4;
  CompressionCodecs[CompressionTypes.ZSTD] = () => zstd;
}

const lz4: Codec = {
  compress: ({ buffer }) => compressFrame(buffer),
  decompress: (bytes) => decompressFrame(bytes),
};

const zstd: Codec = {
  compress: () => Promise.reject(new Error('zstd is only read')),
  decompress: async (bytes) => Buffer.from(decompressZstd(bytes)),
};

/**
 * Java writes Snappy in the frames of the xerial library: 0x82 `SNAPPY` 0, two Int32 versions, and
 * then blocks, each behind its Int32 length, big-endian. Others write one block without a frame.
 */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
const MAGIC_BYTES = 8;

const snappy: Codec = {
  async compress({ buffer }) {
    const block = await compressSnappy(buffer);
    const length = Buffer.alloc(4);
    length.writeInt32BE(block.length);
    return Buffer.concat([XERIAL, length, block]);
  },
  async decompress(bytes) {
    const isFramed = bytes.subarray(0, MAGIC_BYTES).equals(XERIAL.subarray(0, MAGIC_BYTES));
    if (!isFramed) return uncompressed(bytes);
    const blocks: Promise<Buffer>[] = [];
    for (let at = XERIAL.length; at < bytes.length;) {
      const end = at + 4 + bytes.readInt32BE(at);
      blocks.push(uncompressed(bytes.subarray(at + 4, end)));
      at = end;
    }
    return Buffer.concat(await Promise.all(blocks));
  },
};

async function uncompressed(block: Buffer): Promise<Buffer> {
  return Buffer.from(await uncompress(block));
}
