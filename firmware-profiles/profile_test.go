package profiles

import (
	"bytes"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a kept file.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}

// parseFile parses a file of testdata as if it lay in /etc/traveler.
func parseFile(t *testing.T, file string) (Profile, error) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return Parse("/etc/traveler/"+filepath.Base(file), text, Files("/etc/traveler"))
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files match %s (%v)", pattern, err)
	}
	return files
}

func TestErrorsNameFilePlaceKeyAndRemedy(t *testing.T) {
	for _, file := range glob(t, "testdata/bad/*.toml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			p, err := parseFile(t, file)
			var faults Faults
			if !errors.As(err, &faults) {
				t.Fatalf("error is %T (%v), want Faults", err, err)
			}
			if !reflect.DeepEqual(p, Profile{}) {
				t.Error("a wrong profile is not empty")
			}
			golden(t, strings.TrimSuffix(file, ".toml")+".txt", []byte(err.Error()+"\n"))
		})
	}
}

func TestShowGivesOriginsAndReadsBackTheSame(t *testing.T) {
	for _, file := range glob(t, "testdata/good/*.toml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			p, err := parseFile(t, file)
			if err != nil {
				t.Fatal(err)
			}
			shown := Show(p)
			golden(t, strings.TrimSuffix(file, ".toml")+".txt", shown)
			again, err := Parse("/elsewhere/shown.toml", shown, BuiltIn)
			if err != nil {
				t.Fatalf("%v\nin\n%s", err, shown)
			}
			p.origins, again.origins = nil, nil
			p.BoardName, p.StationName = "", ""
			if !reflect.DeepEqual(p, again) {
				t.Errorf("shown and read again:\n%+v\nwant\n%+v", again, p)
			}
		})
	}
}

// own is a gateway's file that works with every built-in board and station.
const own = `
gateway = "G-1"
[work]
station = "S-1"
[broker]
urls = ["mqtt://broker:1883"]
`

func TestEveryBoardWorksWithEveryStation(t *testing.T) {
	for _, board := range Boards() {
		for _, station := range Stations() {
			text := "board = \"" + board.Name + "\"\nstation = \"" + station.Name + "\"\n" + own
			if station.Name == "intake" {
				text += "[intake]\norder = \"PO-1\"\n"
			}
			if board.Name == "demo" {
				text += "[ports]\nreader0 = \"/dev/pts/1\"\nscale0 = \"/dev/pts/2\"\n"
			}
			p, err := Parse("/p/profile.toml", []byte(text), BuiltIn)
			if err != nil {
				t.Errorf("%s at %s: %v", board.Name, station.Name, err)
				continue
			}
			if p.BoardName != board.Name || p.StationName != station.Name || len(p.Readers) != 1 {
				t.Errorf("%s at %s: %+v", board.Name, station.Name, p)
			}
			if (p.Scale != nil) != (station.Name == "inspection") {
				t.Errorf("%s has scale %v", station.Name, p.Scale)
			}
		}
	}
}

func TestBuiltInProfilesDescribeThemselves(t *testing.T) {
	names := func(entries []Entry) (names []string) {
		for _, e := range entries {
			if e.Description == "" {
				t.Errorf("%s has no description", e.Name)
			}
			names = append(names, e.Name)
		}
		return names
	}
	if got, want := names(Boards()), []string{"demo", "generic-amd64", "generic-arm64", "rpi-3", "rpi-4", "rpi-5"}; !slices.Equal(got, want) {
		t.Errorf("boards %v, want %v", got, want)
	}
	want := []string{"assembly", "conveyor-portal", "drilling", "inspection", "intake", "packing", "shipping-dock"}
	if got := names(Stations()); !slices.Equal(got, want) {
		t.Errorf("stations %v, want %v", got, want)
	}
}

func TestOwnFileOverridesStationOverridesBoard(t *testing.T) {
	layers := map[Kind]string{
		KindBoard: `
log_level = "error"
minimum = 1
[ports]
reader0 = "/dev/board"
other = "dev/of-board"
[[reader]]
name = "bench"
baud = 9600
misses = 7
[badges]
"04A1B2C3" = "anna"
`,
		KindStation: `
log_level = "warn"
key_file = "secret"
x = 1
[work]
mode = "in-out"
[[reader]]
name = "bench"
device = "pn532"
port = "reader0"
misses = 5
[[task]]
name = "drill"
`,
	}
	text := `
board = "b"
station = "s"
gateway = "G"
[work]
station = "S"
[[reader]]
name = "bench"
misses = 2
[[reader]]
name = "second"
device = "pn532"
port = "other"
[badges]
"04A1B2C4" = "bert"
[broker]
urls = ["mqtt://b:1"]
`
	for kind := range layers {
		layers[kind] = strings.NewReplacer("minimum = 1\n", "", "x = 1\n", "").Replace(layers[kind])
	}
	p, err := Parse("/etc/p.toml", []byte(text), func(kind Kind, ref string) (Source, error) {
		return Source{Name: string(kind) + ".toml", Dir: "/" + string(kind), Text: []byte(layers[kind])}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Reader{
		{Name: "bench", Device: "pn532", Port: "/dev/board", Baud: 9600, Role: RoleBoth, Misses: 2, Hold: 500 * time.Millisecond, Identity: IdentityUID, Handoff: true},
		{Name: "second", Device: "pn532", Port: "/board/dev/of-board", Baud: 115200, Role: RoleBoth, Misses: 3, Hold: 500 * time.Millisecond, Identity: IdentityUID, Handoff: true},
	}
	if !reflect.DeepEqual(p.Readers, want) {
		t.Errorf("readers %+v, want %+v", p.Readers, want)
	}
	if p.LogLevel.String() != "WARN" || p.KeyFile != "/station/secret" || p.DataDir != "/var/lib/traveler" {
		t.Errorf("level %v, key %q, data %q", p.LogLevel, p.KeyFile, p.DataDir)
	}
	if !maps.Equal(p.Badges, map[string]string{"04A1B2C3": "anna", "04A1B2C4": "bert"}) {
		t.Errorf("badges %v", p.Badges)
	}
	for key, want := range map[string]string{"log_level": "station.toml:2", "reader[0].baud": "board.toml:8", "reader[0].misses": "/etc/p.toml:9"} {
		if o, ok := p.Origin(key); !ok || o.String() != want {
			t.Errorf("%s comes from %s, want %s", key, o, want)
		}
	}
	if o, ok := p.Origin("data_dir"); ok || o.String() != "default" {
		t.Errorf("data_dir comes from %s", o)
	}
}

func TestLayersMayNotNameTheGatewayOrLayers(t *testing.T) {
	_, err := Parse("p.toml", []byte(own+"\n"), BuiltIn)
	if err == nil {
		t.Fatal("a profile without readers is taken")
	}
	_, err = Parse("p.toml", []byte("board = \"b\"\n"+own), func(Kind, string) (Source, error) {
		return Source{Name: "b.toml", Text: []byte("gateway = \"X\"\nboard = \"y\"\nstation = \"z\"\n")}, nil
	})
	for _, want := range []string{`b.toml:1:1: key "gateway" stands in a board profile`, `b.toml:2:1: key "board"`, `b.toml:3:1: key "station"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
}

func TestLoadReadsRelativeToTheFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write("stations/mine.toml", "[[reader]]\nname = \"r\"\ndevice = \"pn532\"\nport = \"./tty\"\n[work]\nmode = \"portal\"\n")
	file := write("profile.toml", "station = \"stations/mine.toml\"\nkey_file = \"k\"\n"+own)
	t.Chdir(dir)
	p, err := Load("profile.toml")
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "k"); p.KeyFile != want {
		t.Errorf("key file %s, want %s", p.KeyFile, want)
	}
	if want := filepath.Join(dir, "stations/tty"); p.Readers[0].Port != want {
		t.Errorf("port %s, want %s", p.Readers[0].Port, want)
	}
	if _, err := Load(file + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	write("profile.toml", strings.Repeat("# a long comment\n", maxFileSize/10))
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), "at most 65536") {
		t.Errorf("large file: %v", err)
	}
}

func TestPartsOfOtherLayersCanBeSwitchedOff(t *testing.T) {
	p, err := parseFile(t, "testdata/good/portal.toml")
	if err != nil {
		t.Fatal(err)
	}
	if p.Scale != nil || len(p.Lights) != 0 {
		t.Errorf("scale %v, lights %v", p.Scale, p.Lights)
	}
}

func TestQuantities(t *testing.T) {
	for _, c := range []struct {
		text  string
		units []unit
		want  int64
		err   string
	}{
		{"12.5 g", weightUnits, 12_500, ""},
		{"6kg", weightUnits, 6_000_000, ""},
		{"0.000001 kg", weightUnits, 1, ""},
		{"1.50 g", weightUnits, 1500, ""},
		{"64 MiB", sizeUnits, 64 << 20, ""},
		{"0 B", sizeUnits, 0, ""},
		{"1.0 KiB", sizeUnits, 1024, ""},
		{"0.0000001 kg", weightUnits, 0, "finer"},
		{"1.5 mg", weightUnits, 0, "finer"},
		{"1.2.3 g", weightUnits, 0, "two points"},
		{"g", weightUnits, 0, "number"},
		{"", weightUnits, 0, "no unit"},
		{"5", weightUnits, 0, "no unit"},
		{"-5 g", weightUnits, 0, "no known unit"},
		{"5 lb", weightUnits, 0, "no known unit"},
		{"99999999999 t", weightUnits, 0, "number"},
		{"9223372036854775808 mg", weightUnits, 0, "number"},
	} {
		got, err := parseQuantity(c.text, c.units)
		if got != c.want && c.err == "" || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q gives %d, %v; want %d, %q", c.text, got, err, c.want, c.err)
		}
	}
	for w, want := range map[Weight]string{12_500: "12500 mg", 6_000_000: "6 kg", 0: "0 mg", 3000: "3 g"} {
		if w.String() != want {
			t.Errorf("%d mg is written %s, want %s", int64(w), w, want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"raeder", "reader", 1}, {"port", "ports", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 1}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("distance of %q and %q is %d, want %d", c.a, c.b, got, c.want)
		}
		if got := editDistance(c.b, c.a); got != c.want {
			t.Errorf("distance of %q and %q is %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

// FuzzParse looks for panics, and for profiles that are taken and cannot be shown and read again.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.toml", "testdata/bad/*.toml", "boards/*.toml", "stations/*.toml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse("/f/p.toml", text, BuiltIn)
		if err != nil {
			var faults Faults
			if !errors.As(err, &faults) || len(faults) == 0 || len(faults) > maxFaults {
				t.Fatalf("error %T: %v", err, err)
			}
			for _, fault := range faults {
				if fault.Line < 1 || fault.Column < 1 || fault.File == "" || fault.Problem == "" {
					t.Fatalf("fault without a place or problem: %+v", fault)
				}
			}
			return
		}
		shown := Show(p)
		again, err := Parse("/f/shown.toml", shown, BuiltIn)
		if err != nil {
			t.Fatalf("shown profile is refused: %v\n%s", err, shown)
		}
		if twice := Show(again); !bytes.Equal(withoutComments(twice), withoutComments(shown)) {
			t.Fatalf("shown twice:\n%s\nonce:\n%s", twice, shown)
		}
	})
}

// withoutComments drops what follows the last " # " of each line, and comment lines.
func withoutComments(text []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("#")) {
			continue
		}
		if i := bytes.LastIndex(line, []byte(" # ")); i >= 0 {
			line = bytes.TrimRight(line[:i], " ")
		}
		out.Write(append(line, '\n'))
	}
	return out.Bytes()
}
