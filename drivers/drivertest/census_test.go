package drivertest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every reader that is written is held to the behaviours of readers: its tests run
// the whole table, and leave out what its device cannot do by Limits alone.
func TestEveryReaderIsHeldToTheTable(t *testing.T) {
	reader := regexp.MustCompile(`(?m)^func \(\w+ \*Reader\) Run\(ctx context\.Context, out chan<- drivers\.Event\) error`)
	whole := regexp.MustCompile(`for _, b := range drivertest\.Readers\(\) \{\n\s*t\.Run\(`)
	sources, err := filepath.Glob("../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	readers, held := map[string]bool{}, map[string]bool{}
	for _, path := range sources {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		room := filepath.Base(filepath.Dir(path))
		switch test := strings.HasSuffix(path, "_test.go"); {
		case !test && reader.Match(text):
			readers[room] = true
		case test && whole.Match(text):
			held[room] = true
		}
	}
	if len(readers) < 6 {
		t.Errorf("only %d readers found: %v", len(readers), readers)
	}
	for room := range readers {
		if !held[room] {
			t.Errorf("drivers/%s has a Reader, and no test of it runs all of drivertest.Readers", room)
		}
	}
}
