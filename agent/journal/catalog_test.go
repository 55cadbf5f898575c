package journal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// declaredIDs reads the constants of type ID from the source.
func declaredIDs(t *testing.T) []ID {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "events.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ids []ID
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "ID" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, ID(text))
		}
		return true
	})
	return ids
}

func TestEveryEventIsDefinedOnce(t *testing.T) {
	declared := declaredIDs(t)
	var defined []ID
	messageIDs := make(map[string]ID)
	for _, d := range Events() {
		defined = append(defined, d.ID)
		if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(d.MessageID) {
			t.Errorf("%s has the MESSAGE_ID %q", d.ID, d.MessageID)
		}
		if other, taken := messageIDs[d.MessageID]; taken {
			t.Errorf("%s and %s share a MESSAGE_ID", d.ID, other)
		}
		messageIDs[d.MessageID] = d.ID
		if !regexp.MustCompile(`^[a-z]+\.[a-z-]+$`).MatchString(string(d.ID)) {
			t.Errorf("%q is no id", d.ID)
		}
		if end, ok := Lookup(d.EndedBy); d.EndedBy != "" && (!ok || end.EndedBy != "" || end.Level >= d.Level && d.Level > slog.LevelInfo) {
			t.Errorf("%s is ended by %q, which ends nothing", d.ID, d.EndedBy)
		}
	}
	slices.Sort(declared)
	slices.Sort(defined)
	if !slices.Equal(declared, defined) {
		t.Errorf("declared %v\ndefined %v", declared, defined)
	}
	if len(defined) != len(slices.Compact(defined)) {
		t.Error("an event is defined twice")
	}
}

// texts returns the parts of an entry by their names.
func texts(e Entry) map[string]string {
	return map[string]string{"subject": e.Subject, "what happened": e.Happened, "what it means": e.Means, "what to do": e.Do}
}

func TestCatalogsAndEventsAreEqualSets(t *testing.T) {
	nothing := map[Language]string{English: "Nothing.", German: "Nichts."}
	for _, language := range Languages() {
		t.Run(string(language), func(t *testing.T) {
			entries, err := language.Catalog()
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range Events() {
				e, ok := entries[d.MessageID]
				if !ok {
					t.Errorf("%s (%s) has no entry in the catalog", d.ID, d.MessageID)
					continue
				}
				delete(entries, d.MessageID)
				checkAgainst(t, d, e)
				if d.Level >= slog.LevelWarn && e.Do == nothing[language] {
					t.Errorf("%s is a warning with nothing to do", d.ID)
				}
			}
			for _, e := range entries {
				t.Errorf("the catalog's entry %s %s is no event", e.MessageID, e.ID)
			}
		})
	}
}

// checkAgainst holds one entry to the definition of its event.
func checkAgainst(t *testing.T, d Definition, e Entry) {
	t.Helper()
	if e.ID != d.ID {
		t.Errorf("the entry of %s is headed %s", d.ID, e.ID)
	}
	for part, text := range texts(e) {
		// A value alone is no help to who looks the event up without it.
		if strings.Trim(placeholder.ReplaceAllString(text, ""), " .") == "" {
			t.Errorf("the entry of %s lacks words for %s", d.ID, part)
		}
		for _, p := range placeholder.FindAllString(text, -1) {
			if !slices.Contains(d.Fields, strings.ToLower(strings.Trim(p, "@"))) {
				t.Errorf("the entry of %s says %s, which is no field of it", d.ID, p)
			}
		}
	}
}

func TestCatalogOfAnotherShapeIsRefused(t *testing.T) {
	begin := parts{"What happened: ", "What it means: ", "What to do: "}
	const head = "# a.b\n-- 0123\nSubject: x\n\n"
	for text, want := range map[string]string{
		head + "What may be: y\n":                 "belongs to no part",
		head + "What happened: y\n\n" + head:      "given twice",
		head + "What happened: y\n\nloose text\n": "belongs to no part",
	} {
		if _, err := parseCatalog(text, begin); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %q", text, err, want)
		}
	}
	if entries, err := parseCatalog("", begin); err != nil || len(entries) != 0 {
		t.Errorf("empty catalog gives %v, %v", entries, err)
	}
}

func TestRemedy(t *testing.T) {
	if got := Remedy(ReaderDown); !strings.Contains(got, "cable and power") {
		t.Errorf("remedy of %s is %q", ReaderDown, got)
	}
	if got := Remedy("no.such"); got != "" {
		t.Errorf("remedy of an unknown event is %q", got)
	}
	if e, ok := Describe(ReaderUp); !ok || e.Subject != "Reader @READER@ answers again" {
		t.Errorf("entry of %s: %+v, %v", ReaderUp, e, ok)
	}
}
