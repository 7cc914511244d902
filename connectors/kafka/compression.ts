/** How record batches may be written. Zstandard is only read: nothing that Node brings writes it. */
export const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4'] as const;
export type Compression = (typeof COMPRESSIONS)[number];
