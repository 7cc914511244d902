import { TandemError } from '../../core/errors.ts';
import type { Image, MirrorTable } from '../../core/mirror-table.ts';
import { avroName, AvroReader, isAvro, schemaId } from './avro.ts';
import { columnReader } from './column-reader.ts';
import { fieldsOf, type Envelope } from './envelope.ts';
import { JsonParser, parseKey, type JsonSchema } from './json-envelope.ts';
import { RowReader, Unreadable } from './row-reader.ts';
import type { SchemaRegistry } from './schema-registry.ts';
import type { ValueModes } from './value-modes.ts';
import { WrongForm } from './value.ts';
import { shapeOfConnect, type WireShape } from './wire-shape.ts';

/** An envelope, and what reads its rows. */
export type Parsed = {
  readonly table: MirrorTable;
  readonly envelope: Envelope;
  readonly rows: RowReader;
};

type FormOptions = {
  readonly modes: ValueModes;
  readonly registry: SchemaRegistry | null;
  readonly reread: boolean;
};

/** The forms in which the messages of one topic come, each with its readers, made when first seen. */
export class TopicForms {
  /** Null for the topic of logical messages. */
  readonly table: MirrorTable | null;
  readonly #options: FormOptions;
  readonly #json = new JsonParser();
  readonly #rowsBySchema = new Map<JsonSchema, RowReader>();
  readonly #avro = new Map<number, { readonly reader: AvroReader; readonly rows: RowReader }>();
  readonly #plainRows: RowReader;

  constructor(table: MirrorTable | null, options: FormOptions) {
    this.table = table;
    this.#options = options;
    this.#plainRows = this.#rows(() => null);
  }

  /** Reads the keys in headers, which have no schema. */
  get keyReader(): RowReader {
    return this.#plainRows;
  }

  /** @throws WrongForm, Unreadable */
  parse(value: Buffer, digits: 'fast' | 'all'): Parsed {
    const { envelope, rows } = this.parseEnvelope(value, digits);
    return { table: this.table as MirrorTable, envelope, rows };
  }

  parseEnvelope(
    value: Buffer,
    digits: 'fast' | 'all',
  ): { readonly envelope: Envelope; readonly rows: RowReader } {
    if (value[0] === OPENING_BRACE) {
      const { envelope, schema } = this.#json.parse(value, digits);
      return { envelope, rows: schema === null ? this.#plainRows : this.#schemaRows(schema) };
    }
    if (!isAvro(value)) throw new WrongForm('JSON or Avro', value);
    const form = this.#avroForm(schemaId(value));
    return { envelope: form.reader.read(value), rows: form.rows };
  }

  /**
   * The key that stands beside a message, for one that has nothing else. Needed seldom, so no reader
   * of JSON is kept for it.
   *
   * @throws WrongForm, Unreadable
   */
  key(bytes: Buffer): Image {
    if (bytes[0] === OPENING_BRACE) {
      const { fields, columns } = parseKey(bytes);
      const rows = columns === null ? this.#plainRows : this.#rows(shapesIn(columns));
      return rows.key(fields, null);
    }
    if (!isAvro(bytes) || this.#options.registry === null) {
      throw new WrongForm('a key in JSON, or in Avro with a schema registry', bytes);
    }
    const { reader, rows } = this.#avroForm(schemaId(bytes), asEnvelope);
    return rows.key(fieldsOf(reader.read(bytes).before, 'a key'), null);
  }

  #schemaRows(schema: JsonSchema): RowReader {
    const known = this.#rowsBySchema.get(schema);
    if (known !== undefined) return known;
    const rows = this.#rows(shapesIn(schema.columns));
    // The parser keeps one schema at a time; so does this.
    this.#rowsBySchema.clear();
    this.#rowsBySchema.set(schema, rows);
    return rows;
  }

  #avroForm(
    id: number,
    toEnvelope = (schema: unknown) => schema,
  ): { readonly reader: AvroReader; readonly rows: RowReader } {
    const known = this.#avro.get(id);
    if (known !== undefined) return known;
    const schema = this.#options.registry?.known(id);
    if (schema === undefined) {
      const what = 'a message was to be decoded whose schema was not fetched';
      throw new TandemError('PROTOCOL_VIOLATION', { what, schema: id });
    }
    if (schema === null) {
      throw new Unreadable('MESSAGE_UNREADABLE', `schema ${id} is not in the schema registry`);
    }
    const form = this.#compile(id, toEnvelope(schema));
    this.#avro.set(id, form);
    return form;
  }

  #compile(id: number, schema: unknown): { readonly reader: AvroReader; readonly rows: RowReader } {
    const wanted = new Set(this.table?.columns.map(({ name }) => avroName(name)));
    let reader: AvroReader;
    try {
      reader = new AvroReader(schema, (column) => wanted.has(column));
    } catch {
      throw new Unreadable('MESSAGE_UNREADABLE', `schema ${id} is none of Debezium's envelope`);
    }
    const rows = this.#rows((name) => reader.columns.get(avroName(name)) ?? null, avroName);
    return { reader, rows };
  }

  #rows(
    shapeOf: (column: string) => WireShape | null,
    wireName: (column: string) => string = (name) => name,
  ): RowReader {
    const { modes, reread } = this.#options;
    const table = this.table ?? NO_TABLE;
    const columns = table.columns.map((column) => ({
      ...columnReader(column, shapeOf(column.name), modes),
      name: wireName(column.name),
    }));
    return new RowReader(table, columns, reread);
  }
}

const OPENING_BRACE = 0x7b;

/** A record with one field is written as that field is: so a key is read as an envelope of it. */
const asEnvelope = (schema: unknown) => ({
  type: 'record',
  name: 'envelope_of_key',
  fields: [{ name: 'before', type: schema }],
});

const shapesIn = (columns: ReadonlyMap<string, unknown>) => (name: string) => {
  const found = columns.get(name);
  return found === undefined ? null : shapeOfConnect(found);
};

const NO_TABLE: MirrorTable = { name: '', schema: '', relation: '', columns: [], keyLength: 0 };
