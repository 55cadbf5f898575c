package main

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"traveler.example/agent/journal"
)

// TestCommandsOfTheCatalogExist holds the remedies of the message catalog to the
// commands and flags that there are: at night nobody should have to guess.
func TestCommandsOfTheCatalogExist(t *testing.T) {
	t.Parallel()
	root := newApp(strings.NewReader(""), io.Discard, io.Discard, func(string) string { return "" }).root()
	call := regexp.MustCompile(`\btraveler((?: (?:--)?[a-z-]+| @[A-Z]+@| [A-Z]+\b)+)`)
	// What may follow where the program is spoken of, or the user of its name.
	prose := []string{"command", "with", "in", "mit"}
	found := 0
	for _, language := range journal.Languages() {
		entries, err := language.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			for _, m := range call.FindAllStringSubmatch(e.Happened+" "+e.Means+" "+e.Do, -1) {
				words := strings.Fields(m[1])
				if slices.Contains(prose, words[0]) {
					continue
				}
				found++
				c, rest := root, words
				for len(rest) > 0 {
					next, _, err := c.Find(rest[:1])
					if err != nil || next == c {
						break
					}
					c, rest = next, rest[1:]
				}
				if c == root || c.HasSubCommands() {
					t.Errorf("%s in %s: there is no command traveler %s", e.ID, language, strings.Join(words, " "))
				}
				for _, w := range rest {
					if name, is := strings.CutPrefix(w, "--"); is && c.Flags().Lookup(name) == nil && c.InheritedFlags().Lookup(name) == nil {
						t.Errorf("%s in %s: %s has no flag %s", e.ID, language, c.CommandPath(), w)
					}
				}
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d commands were found in the catalogs", found)
	}
}
