import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A program in C that links a library of the distribution, and its next commit. */
const GREET = {
  'greet.c': '#include <stdio.h>\n#include <zlib.h>\n\nint main(void)\n{\n\tprintf("hello, zlib %d\\n", zlibVersion()[0] - \'0\');\n\treturn 0;\n}\n',
  'Makefile': 'PREFIX ?= /usr/local\n\ngreet: greet.c\n\t$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< -lz\n\ninstall: greet\n\tinstall -D -m 755 greet $(DESTDIR)$(PREFIX)/bin/greet\n\n.PHONY: install\n',
}

/** A service in Python that requires a module of the distribution. */
const GREETD = {
  'pyproject.toml': '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n\n[project]\nname = "greetd"\nversion = "1.0"\ndependencies = ["PyYAML>=5"]\n\n[project.scripts]\ngreetd = "greetd:main"\n\n[tool.setuptools]\npy-modules = ["greetd"]\n',
  'greetd.py': 'import http.server\nimport sys\nimport yaml\n\nPORT = 80\n\n\nclass Handler(http.server.BaseHTTPRequestHandler):\n    def do_GET(self):\n        with open(sys.argv[1], encoding="utf-8") as file:\n            said = yaml.safe_load(file)["says"]\n        self.send_response(200)\n        self.end_headers()\n        self.wfile.write(said.encode())\n\n\ndef main():\n    http.server.HTTPServer(("", PORT), Handler).serve_forever()\n',
}

/** The repositories that the example site from-source names, as bare ones below a folder. */
export interface Upstreams {
  /** URL of a repository. */
  readonly url: (name: 'greet' | 'greetd') => string
  /** Commits to a repository's branch `main`. @returns the commit. */
  readonly commit: (name: 'greet' | 'greetd', files: Readonly<Record<string, string>>) => string
}

export function makeUpstreams(folder: string): Upstreams {
  const environment = { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1', GIT_AUTHOR_NAME: 'upstream', GIT_AUTHOR_EMAIL: 'upstream@example.com', GIT_COMMITTER_NAME: 'upstream', GIT_COMMITTER_EMAIL: 'upstream@example.com' }
  let day = 1
  const git = (name: string, args: readonly string[]): string => {
    const date = `2026-03-${String(day).padStart(2, '0')}T12:00:00Z`
    return execFileSync('git', ['-C', join(folder, name), ...args], { encoding: 'utf8', env: { ...environment, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date } }).trim()
  }
  const commit: Upstreams['commit'] = (name, files) => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name, path)), { recursive: true })
      writeFileSync(join(folder, name, path), text)
    }
    git(name, ['add', '--all'])
    git(name, ['commit', '--quiet', '--message', `day ${String(day)}`])
    day += 1
    return git(name, ['rev-parse', 'HEAD'])
  }
  for (const [name, files] of [['greet', GREET], ['greetd', GREETD]] as const) {
    mkdirSync(join(folder, name), { recursive: true })
    git(name, ['init', '--quiet', '--initial-branch=main'])
    commit(name, files)
    git(name, ['tag', 'v1.0'])
  }
  return { url: name => `file://${join(folder, name)}`, commit }
}
