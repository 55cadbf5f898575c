package cmd

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"traveler.example/agent/journal"
)

// TestEveryEventIsSaid holds the table of events to the code: each is written
// somewhere, or ends one that is. The catalog describes nothing that cannot
// happen.
func TestEveryEventIsSaid(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	name := regexp.MustCompile(`journal\.([A-Z][A-Za-z]+)`)
	for _, root := range []string{"../agent", "../cmd"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range name.FindAllSubmatch(text, -1) {
				used[string(m[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	table, err := os.ReadFile("../agent/journal/events.go")
	if err != nil {
		t.Fatal(err)
	}
	constant := map[journal.ID]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t([A-Z][A-Za-z]+) +ID = "([^"]+)"`).FindAllSubmatch(table, -1) {
		constant[journal.ID(m[2])] = string(m[1])
	}
	ends := map[journal.ID]bool{}
	for _, d := range journal.Events() {
		if used[constant[d.ID]] {
			ends[d.EndedBy] = true
		}
	}
	for _, d := range journal.Events() {
		if !used[constant[d.ID]] && !ends[d.ID] {
			t.Errorf("event %s is in the table and the catalog, and nothing writes it", d.ID)
		}
	}
}
