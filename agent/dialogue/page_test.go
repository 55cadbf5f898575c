package dialogue

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

var rewrite = flag.Bool("rewrite", false, "write what the gateways say into the pages")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// page is a file of testdata: prose and steps in their order.
type page struct{ parts []part }

// part is a paragraph of prose, or a step.
type part struct {
	prose    []string
	commands []command
	lines    []string // of the commands as they stand
	output   []string
}

// command is a name, words and key=value options, and the indented lines below.
type command struct {
	line    int
	name    string
	args    []string
	options map[string]string
	body    []string
	used    map[string]bool
}

const rule = "----"

// stage reports whether a step sets the scene: what is said there is left out,
// unless its network is loud.
func (p part) stage() bool {
	return len(p.commands) > 0 && p.commands[0].name == "network" && p.commands[0].option("loud", "no") == "no"
}

// parsePage reads a page. Errors name the line.
func parsePage(text string) (page, error) {
	var p page
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := 0; i < len(lines); {
		switch {
		case strings.TrimSpace(lines[i]) == "":
			i++
		case strings.HasPrefix(lines[i], "#"):
			var prose []string
			for ; i < len(lines) && strings.HasPrefix(lines[i], "#"); i++ {
				prose = append(prose, lines[i])
			}
			p.parts = append(p.parts, part{prose: prose})
		default:
			from := i
			for i < len(lines) && strings.TrimSpace(lines[i]) != "" {
				i++
			}
			step, err := parseStep(lines[from:i], from+1)
			if err != nil {
				return p, err
			}
			p.parts = append(p.parts, step)
		}
	}
	return p, nil
}

func parseStep(lines []string, from int) (part, error) {
	var s part
	for i, l := range lines {
		switch {
		case l == rule:
			s.lines, s.output = lines[:i], lines[i+1:]
			if len(s.commands) == 0 {
				return s, fmt.Errorf("line %d: %s without a command above it", from+i, rule)
			}
			return s, nil
		case strings.HasPrefix(l, " ") && len(s.commands) > 0:
			c := &s.commands[len(s.commands)-1]
			c.body = append(c.body, strings.TrimSpace(l))
		default:
			c, err := parseCommand(l, from+i)
			if err != nil {
				return s, err
			}
			s.commands = append(s.commands, c)
		}
	}
	s.lines = lines
	return s, nil
}

// parseCommand splits a line into words. Quotes hold a word with spaces together.
func parseCommand(l string, line int) (command, error) {
	c := command{line: line, options: map[string]string{}, used: map[string]bool{}}
	quoted := false
	words := strings.FieldsFunc(l, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	})
	if quoted {
		return c, fmt.Errorf("line %d: a quote is not closed", line)
	}
	c.name = words[0]
	for _, w := range words[1:] {
		w = strings.ReplaceAll(w, `"`, "")
		if key, value, ok := strings.Cut(w, "="); ok {
			if _, twice := c.options[key]; twice {
				return c, fmt.Errorf("line %d: %s= stands twice", line, key)
			}
			c.options[key] = value
		} else {
			c.args = append(c.args, w)
		}
	}
	return c, nil
}

// option returns an option's value, or the default.
func (c *command) option(key, or string) string {
	c.used[key] = true
	if v, ok := c.options[key]; ok {
		return v
	}
	return or
}

// list is an option's value split at commas; nil if it is not there.
func (c *command) list(key string) []string {
	if v := c.option(key, ""); v != "" {
		return strings.Split(v, ",")
	}
	return nil
}

// finished complains about options that nothing asked for.
func (c *command) finished() error {
	for key := range c.options {
		if !c.used[key] {
			return fmt.Errorf("%s has no option %s=", c.name, key)
		}
	}
	return nil
}

// text writes the page, with each part a paragraph.
func (p page) text() string {
	var b strings.Builder
	for i, s := range p.parts {
		if i > 0 {
			b.WriteString("\n")
		}
		lines := s.prose
		if s.commands != nil {
			lines = append(append(append([]string{}, s.lines...), rule), s.output...)
		}
		b.WriteString(strings.Join(lines, "\n") + "\n")
	}
	return b.String()
}

func pages(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) < 20 {
		t.Fatalf("%d pages found: %v", len(paths), err)
	}
	return paths
}

func TestDialogues(t *testing.T) {
	for _, path := range pages(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var said string
			synctest.Test(t, func(t *testing.T) { said, err = play(string(raw)) })
			switch {
			case err != nil:
				t.Fatalf("%s: %v\n%s", path, err, said)
			case said == string(raw):
			case *rewrite:
				if err := os.WriteFile(path, []byte(said), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("%s says something else now (look, then run with -rewrite):\n%s", path, difference(string(raw), said))
			}
		})
	}
}

// play carries out a page and returns it with what came of it.
func play(text string) (string, error) {
	p, err := parsePage(text)
	if err != nil {
		return "", err
	}
	s := newScene()
	defer s.close()
	for i := range p.parts {
		part := &p.parts[i]
		for j := range part.commands {
			if j == 0 {
				part.output = nil
			}
			c := &part.commands[j]
			out, err := s.do(c)
			if err != nil || !part.stage() {
				part.output = append(part.output, out...)
			}
			if err != nil {
				return p.text(), fmt.Errorf("line %d: %w", c.line, err)
			}
		}
	}
	return p.text(), s.ended()
}

// difference shows the first lines in which two texts part.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < len(w) && i < len(g) && w[i] == g[i] {
		i++
	}
	show := func(lines []string) string { return strings.Join(lines[i:min(i+6, len(lines))], "\n  ") }
	return fmt.Sprintf("line %d, the page:\n  %s\nnow:\n  %s", i+1, show(w), show(g))
}

// TestPagesAreRead: what a page says wrong is told with its line.
func TestPagesAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"# prose\n\n----\nx\n":                       "line 3: ---- without a command above it",
		"network a\n\ndance a\n":                     `line 3: there is no command "dance"`,
		"network a\nscan b T-1\n":                    `line 2: there is no gateway "b"`,
		"network a\nscan a\n":                        "line 2: scan GATEWAY TAG: 1 words are given",
		"network a\nscan a T-1 colour=red\n":         "line 2: scan has no option colour=",
		"network a\n\nscan a T-1 in=5\n":             `line 3: in="5": a time has a unit, as 5s`,
		"network a\nadvance \"5s\n":                  "line 2: a quote is not closed",
		"network a b=1 b=2\n":                        "line 1: b= stands twice",
		"scan a T-1\n":                               "line 1: there is no network yet",
		"network a a\n":                              "line 1: two gateways are called a",
		"network a\norder WO-1\n    10 drill\n":      `line 2: operation "10 drill": ID TASK at PLACE is needed`,
		"network a\nrevoke olga at=a\n":              `line 2: nobody is called "olga"`,
		"network a\ndispose T-1 scrap why at=a\n":    `line 2: item "T-1": not found: no printed id, tag or id begins so`,
		"network a\ndeliver a a\n":                   "line 2: nothing of that kind is under way",
		"network a\nforge a 2\n":                     "line 2: a/1 is not held by a",
		"network a\nshow dances\n":                   `line 2: "dances" is no kind of line`,
		"network a b\nhold\nstop a\nstop a\n":        "line 4: a does not run",
		"network a b\nrestore a\n":                   "line 2: there is no backup of a",
		"network a\nenter a T-1 bore=wide\n":         `line 2: bore="wide": a value has a unit, as 12.03mm`,
		"network a\nwithdraw a T-1\nstart a\n":       `line 2: withdraw GATEWAY ITEM REASON: 2 words are given`,
		"network a\n    more\n\n    indented only\n": "",
	} {
		var err error
		synctest.Test(t, func(*testing.T) { _, err = play(text) })
		if want == "" && err == nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

// TestPagesAreListed: PROTOCOL.md names every page, and no other.
func TestPagesAreListed(t *testing.T) {
	protocol, err := os.ReadFile("../../ledger/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	paths := pages(t)
	for _, path := range paths {
		if link := "](../agent/dialogue/" + path + ")"; strings.Count(string(protocol), link) != 1 {
			t.Errorf("PROTOCOL.md does not list %s once", path)
		}
	}
	if n := strings.Count(string(protocol), "](../agent/dialogue/testdata/"); n != len(paths) {
		t.Errorf("PROTOCOL.md lists %d pages, %d are there", n, len(paths))
	}
}
