import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../provider", import.meta.url));

/** What the files of each folder may import from the other folders of provider/. */
const ALLOWED: Record<string, string[]> = {
  "": ["program", "lifecycle (types)", "settings (types)"],
  program: ["settings", "lifecycle (types)"],
  // The adapters, which never import one another.
  dynamic: ["lifecycle", "settings", "atlas", "atlas/limits"],
  lifecycle: [
    "settings (types)",
    "atlas",
    "atlas/client",
    "atlas/credentials",
    "atlas/invitations",
    "atlas/limits",
  ],
  settings: ["atlas", "atlas/credentials (types)"],
  "atlas/invitations": ["atlas/client", "atlas"],
  "atlas/credentials": ["atlas/client", "atlas"],
  "atlas/client": ["atlas/limits", "atlas"],
  "atlas/limits": ["atlas"],
  atlas: [],
};

/** Words that only a user of Pulumi knows. A core with another adapter displays none of them. */
const PULUMI_WORDS =
  /\bpulumi\b(?!-atlas-invitations)|mongodbatlas:|--[a-z]|\bURN\b|\bstack\b|\brefresh\b|\bdestroy|\bpreview\b|\balias/i;

interface Import {
  /** The path of the importing file within provider/. */
  from: string;
  /** The path of the imported file within provider/, or the name of a package. */
  to: string;
  isTypeOnly: boolean;
}

const files = readdirSync(ROOT, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => name.replaceAll(sep, "/"));
const sources = new Map(files.map((name) => [name, parse(name, readFileSync(join(ROOT, name), "utf8"))]));
const imports = [...sources].flatMap(([name, source]) => importsOf(name, source));
const inner = imports.filter(({ to }) => sources.has(to));

function parse(name: string, text: string): ts.SourceFile {
  return ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
}

function visit(node: ts.Node, found: (node: ts.Node) => void): void {
  found(node);
  node.forEachChild((child) => visit(child, found));
}

/** Static and dynamic imports, and re-exports. */
function importsOf(from: string, source: ts.SourceFile): Import[] {
  const found: Import[] = [];
  const add = (specifier: ts.Expression | undefined, isTypeOnly: boolean) => {
    if (!specifier || !ts.isStringLiteral(specifier)) return;
    const { text } = specifier;
    const to = text.startsWith(".") ? relative(ROOT, join(ROOT, dirname(from), text)) : text;
    found.push({ from, to: to.replaceAll(sep, "/"), isTypeOnly });
  };
  visit(source, (node) => {
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    }
    if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false);
    }
  });
  return found;
}

const folderOf = (file: string) => (file.includes("/") ? dirname(file) : "");

/** The texts of string literals and templates; without imports, comments and the names of types. */
function textsOf(source: ts.SourceFile): string[] {
  const texts: string[] = [];
  visit(source, (node) => {
    if (ts.isImportDeclaration(node.parent ?? node) || ts.isExportDeclaration(node.parent ?? node)) return;
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      texts.push(node.text);
    }
  });
  return texts;
}

const pulumiWordsIn = (source: ts.SourceFile) => textsOf(source).filter((text) => PULUMI_WORDS.test(text));

describe("the folders of provider/", () => {
  test.each(Object.entries(ALLOWED))("%j imports only %j", (folder, allowed) => {
    const others = inner.filter(({ from, to }) => folderOf(from) === folder && folderOf(to) !== folder);
    const isAllowed = ({ to, isTypeOnly }: Import) =>
      allowed.includes(folderOf(to)) || (isTypeOnly && allowed.includes(`${folderOf(to)} (types)`));
    expect(others.filter((arrow) => !isAllowed(arrow))).toEqual([]);
  });

  test("are all in the table", () => {
    expect(new Set(files.map(folderOf))).toEqual(new Set(Object.keys(ALLOWED)));
  });

  test("import Pulumi's SDK in the program and in the adapter only", () => {
    const folders = imports.filter(({ to }) => to.startsWith("@pulumi/")).map(({ from }) => folderOf(from));
    expect(new Set(folders)).toEqual(new Set(["program", "dynamic"]));
  });
});

describe("Pulumi's words", () => {
  test("are in no text of the core", () => {
    const core = [...sources].filter(([file]) => /^(lifecycle|settings|atlas)\//.test(file));
    expect(core.flatMap(([, source]) => pulumiWordsIn(source))).toEqual([]);
  });

  test("are found in strings and templates, not in imports, comments and the name of the package", () => {
    const source = parse(
      "example.ts",
      `import { stack } from "@pulumi/pulumi"; // Run pulumi up.
       say("pulumi-atlas-invitations", "Run pulumi up.", \`\${its} URN, \${or} an alias\`, 'mongodbatlas:debug');`,
    );
    const found = ["Run pulumi up.", " URN, ", " an alias", "mongodbatlas:debug"];
    expect(pulumiWordsIn(source).sort()).toEqual(found.sort());
  });
});
