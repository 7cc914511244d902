/** SQL of a value that is stored out of line: large, and no compression helps. Begins with the name. */
export const largeValue = (name: string): string =>
  `(select '${name} ' || string_agg(md5('${name}' || i), '') from generate_series(1, 300) i)`;
