import { refusal } from "./answer.ts";

/** A resource version: `YYYY-MM-DD`. */
export type VersionDate = `${number}-${number}-${number}`;

/** The content type of the unversioned API. Refuses an Accept header that excludes JSON. */
export function negotiateJson(accept: string | undefined): string {
  if (accept === undefined || /application\/json|application\/\*|\*\/\*/.test(accept))
    return "application/json";
  throw notAcceptable(accept);
}

/** The content type of a version that is not newer than the date in the Accept header. */
export function negotiateVersion(accept: string | undefined, version: VersionDate): string {
  const asked = accept?.match(/application\/vnd\.atlas\.([^+;,\s]*)\+json/)?.[1];
  // Documented: 406 for no version and for an unknown one, such as "preview".
  if (asked === undefined || !/^\d/.test(asked)) throw notAcceptable(accept);
  if (!isDate(asked)) {
    throw refusal(400, "INVALID_VERSION_DATE", `${asked} is not a version date.`, [asked]);
  }
  if (asked < version) throw notAcceptable(accept);
  return `application/vnd.atlas.${version}+json;charset=utf-8`;
}

const isDate = (text: string) =>
  /^\d{4}-\d{2}-\d{2}$/.test(text) &&
  !Number.isNaN(Date.parse(text)) &&
  new Date(text).toISOString().startsWith(text);

// Unknown: the error code of a 406. Null stands for it, as recorded on other errors.
const notAcceptable = (accept = "") => refusal(406, null, `No version for Accept "${accept}".`);
