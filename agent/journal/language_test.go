package journal

import (
	"io"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"traveler.example/systemd"
)

// verbatim is what a person types or looks for, and no language changes: fields, flags,
// keys of the profile, files, commands of the system, and words that the light shows.
var verbatim = regexp.MustCompile(`@[A-Z_]+@|--[a-z-]+|[a-z0-9]+_[a-z_]+|/[a-z]+/[a-z/-]+|(?:system|journal)ctl [a-z-]+|\b[A-Z]{4,}\b|\[[a-z]+\]`)

func TestLanguagesSayTheSame(t *testing.T) {
	first, err := English.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	second, err := German.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	for id, e := range first {
		g := texts(second[id])
		for part, text := range texts(e) {
			if in, ger := wordsOf(text), wordsOf(g[part]); !slices.Equal(in, ger) {
				t.Errorf("%s, %s: %q in English, %q in German", e.ID, part, in, ger)
			}
			if text == g[part] {
				t.Errorf("%s, %s: not translated: %q", e.ID, part, text)
			}
			if familiar.MatchString(g[part]) {
				t.Errorf("%s, %s: says du, not Sie: %q", e.ID, part, g[part])
			}
		}
	}
}

// familiar finds an address that German keeps for friends.
var familiar = regexp.MustCompile(`(^| )[Dd](u|ich|ir|ein|eine[mnrs]?)\b`)

// wordsOf returns what a text holds of verbatim, sorted, each once.
func wordsOf(text string) []string {
	words := verbatim.FindAllString(text, -1)
	slices.Sort(words)
	return slices.Compact(words)
}

// TestCatalogFitsTheScreen: journalctl puts three columns before each line, and its pager
// cuts what is wider than the screen. A console has 80.
func TestCatalogFitsTheScreen(t *testing.T) {
	const most = 77
	for language, text := range map[Language]string{English: systemd.Catalog(), German: systemd.GermanCatalog()} {
		number := 0
		for line := range strings.Lines(text) {
			number++
			line = strings.TrimSuffix(line, "\n")
			if n := utf8.RuneCountInString(line); n > most && !strings.HasPrefix(line, "#") {
				t.Errorf("%s, line %d has %d characters, more than %d: %s", language, number, n, most, line)
			}
			if line != strings.TrimSpace(line) {
				t.Errorf("%s, line %d begins or ends with space: %q", language, number, line)
			}
		}
	}
}

func TestLanguageOf(t *testing.T) {
	for _, c := range []struct {
		environment map[string]string
		want        Language
	}{
		{nil, English},
		{map[string]string{"LANG": "de_DE.UTF-8"}, German},
		{map[string]string{"LANG": "de"}, German},
		{map[string]string{"LANG": "de_AT@euro"}, German},
		{map[string]string{"LANG": "den_CA"}, English},
		{map[string]string{"LANG": "fr_FR.UTF-8"}, English},
		{map[string]string{"LANG": "de_DE.UTF-8", "LC_MESSAGES": "C"}, English},
		{map[string]string{"LANG": "C.UTF-8", "LC_MESSAGES": "de_CH"}, German},
		{map[string]string{"LANG": "de_DE.UTF-8", "LC_MESSAGES": "de_DE.UTF-8", "LC_ALL": "C"}, English},
		{map[string]string{"LC_ALL": "", "LC_MESSAGES": "", "LANG": "de_DE"}, German},
	} {
		if got := LanguageOf(func(name string) string { return c.environment[name] }); got != c.want {
			t.Errorf("%v: %s, want %s", c.environment, got, c.want)
		}
	}
}

func TestRemediesOnATerminalAreInItsLanguage(t *testing.T) {
	for locale, want := range map[string]string{
		"de_DE.UTF-8": "→ Suchen Sie das Programm mit fuser -v /dev/ttyUSB0",
		"C.UTF-8":     "→ Find the program with fuser -v /dev/ttyUSB0",
	} {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer read.Close()
		j := New(Open(write, func(name string) string { return map[string]string{"LANG": locale}[name] }, slog.LevelInfo), at(noon))
		j.Event(t.Context(), PortBusy, "port is busy", slog.String(KeyPort, "/dev/ttyUSB0"))
		write.Close()
		if text, err := io.ReadAll(read); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("LANG=%s: %q, %v; want %q in it", locale, text, err, want)
		}
	}
}

func TestLanguagesWithoutCatalogHaveEnglish(t *testing.T) {
	if got, want := Language("fr").Remedy(ReaderDown), Remedy(ReaderDown); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := German.Remedy("no.such"); got != "" {
		t.Errorf("remedy of an unknown event is %q", got)
	}
}

func TestCatalogIsACopy(t *testing.T) {
	entries, err := German.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	clear(entries)
	if German.Remedy(ReaderDown) == "" {
		t.Error("clearing the returned entries cleared those of the next")
	}
}
