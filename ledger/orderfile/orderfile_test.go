package orderfile

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"traveler.example/ledger"
)

var rewrite = flag.Bool("rewrite", false, "write golden files anew")

func read(t *testing.T, name string) File {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	f, err := Read(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRead(t *testing.T) {
	f := read(t, "bracket.toml")
	document, err := ledger.ParseHash("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
	if err != nil {
		t.Fatal(err)
	}
	want := File{Replaces: "WO-2040", Order: ledger.Order{
		ID: "WO-2041", Product: "bracket", Design: `drawing "117", revision C, Größe 2`, Document: document, Quantity: 20,
		Routing: []ledger.Operation{
			{ID: "drill", Task: "drill-4-holes", Place: "drill-1", Dwell: 2000, MaxReturns: 1, Limits: []ledger.Limit{
				{Name: "bore", Min: 1198, Max: 1203, Exponent: -2, Unit: "mm", OnFail: ledger.Return},
				{Name: "depth", Min: 400, Max: 425, Exponent: -2, Unit: "mm", OnFail: ledger.SetAside},
				{Name: "angle", Min: -50, Max: 50, Exponent: -2, Unit: "deg", OnFail: ledger.Return},
			}},
			{ID: "deburr", Task: "deburr-edges", Place: "benches", Needs: []string{"drill"}, Signers: 2, MaxReturns: 3},
			{ID: "weigh", Task: "weigh-in", Place: "scale-1", Needs: []string{"deburr"}, MaxReturns: 1, Limits: []ledger.Limit{
				{Name: "weight", Min: 100_000, Max: 112_500, Exponent: -3, Unit: "g", OnFail: ledger.Return},
			}},
			{
				ID: "assemble", Task: "screw-together", Place: "asm-1", Needs: []string{"weigh"}, MaxReturns: 0,
				Inputs: []ledger.Need{{Product: "bolt", Count: 4}, {Product: "plate", Count: 1}},
			},
		},
	}}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got  %+v\nwant %+v", f, want)
	}
}

func TestParse(t *testing.T) {
	data := []byte(`id = "WO-2"
product = "p"
replaces = "WO-1"
[[operation]]
id = "a"
task = "t"
place = "s"
`)
	_, err := Parse("two.toml", data)
	if err == nil || !strings.HasPrefix(err.Error(), `two.toml:3:1: replaces = "WO-1"`) {
		t.Errorf("an order that names another by its id: %v", err)
	}
	hash := strings.Repeat("5a", 32)
	o, err := Parse("two.toml", bytes.Replace(data, []byte("WO-1"), []byte(hash), 1))
	if err != nil || o.Replaces.String() != hash {
		t.Errorf("an order that names another by its transaction: %v, %v", o.Replaces, err)
	}
}

func TestFormat(t *testing.T) {
	for _, name := range []string{"bracket.toml", "part.toml"} {
		o := read(t, name).Order
		o.Replaces = ledger.Hash{7}
		text := Format(o)
		again, err := Parse("formatted", text)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		if !reflect.DeepEqual(o, again) {
			t.Errorf("%s: read back differently:\n%+v\n%+v\n%s", name, o, again, text)
		}
	}
}

func TestLiteral(t *testing.T) {
	tests := []struct {
		text     string
		digits   string
		exponent int
		unit     string
	}{
		{`"12.50 g"`, "1250", -2, "g"},
		{`"12.5g"`, "125", -1, "g"},
		{`'-3 Cel'`, "-3", 0, "Cel"},
		{`1_000`, "1000", 0, ""},
		{`+1.0`, "10", -1, ""},
		{`"0.1 kg"`, "1", -1, "kg"},
		{`"-0.05 mm"`, "-5", -2, "mm"},
		{`"5 10*3/uL"`, "5", 0, "10*3/uL"},
	}
	for _, tt := range tests {
		var l literal
		if err := l.UnmarshalTOML([]byte(tt.text)); err != nil {
			t.Fatal(err)
		}
		d, err := l.parse()
		if err != nil || d.digits.String() != tt.digits || d.exponent != tt.exponent || d.unit != tt.unit {
			t.Errorf("%s: got %v·10^%d %q, %v", tt.text, d.digits, d.exponent, d.unit, err)
		}
	}
	for _, text := range []string{
		`""`, `"mm"`, `"."`, `"-"`, `".5 mm"`, `"5. mm"`, `"1.2.3 mm"`, `"--1"`, `"1-2"`, `1e3`, `"1E-3"`, `inf`, `nan`, `0x10`, `true`, `[1]`,
		`"` + strings.Repeat("9", 41) + `"`,
	} {
		var l literal
		if err := l.UnmarshalTOML([]byte(text)); err != nil {
			continue
		}
		if d, err := l.parse(); err == nil && d.unit == "" {
			t.Errorf("%s is taken for %v·10^%d", text, d.digits, d.exponent)
		}
	}
}

// TestErrors reads every file of testdata/errors; the golden file holds the
// error of each.
func TestErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/errors/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	var got strings.Builder
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Read(filepath.Base(path), data)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v, want an *Error", path, err)
			continue
		}
		fmt.Fprintln(&got, err)
	}
	const golden = "testdata/errors.txt"
	if *rewrite {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("errors differ (-rewrite writes them anew)\ngot:\n%s\nwant:\n%s", got.String(), want)
	}
}

func TestTooLarge(t *testing.T) {
	_, err := Read("big.toml", bytes.Repeat([]byte("#"), MaxSize+1))
	if err == nil || !strings.HasPrefix(err.Error(), "big.toml:1:1: the file has 65537 bytes") {
		t.Errorf("got %v", err)
	}
	var b strings.Builder
	b.WriteString("id = \"WO-1\"\nproduct = \"p\"\n")
	for i := range 64 {
		fmt.Fprintf(&b, "[[operation]]\nid = \"o%d\"\ntask = %q\nplace = %q\n", i, strings.Repeat("t", 90), strings.Repeat("s", 90))
		if i > 0 {
			fmt.Fprintf(&b, "needs = [\"o%d\"]\n", i-1)
		}
	}
	_, err = Read("big.toml", []byte(b.String()))
	if err == nil || !strings.Contains(err.Error(), "is larger than 8192 bytes") {
		t.Errorf("got %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, pattern := range []string{"testdata/*.toml", "testdata/errors/*.toml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range files {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Read("fuzz", data)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Line > 1+bytes.Count(data, []byte("\n")) {
				t.Fatalf("no place in the file: %#v", err)
			}
			return
		}
		again, err := Parse("formatted", Format(file.Order))
		if err != nil {
			t.Fatalf("cannot be read back: %v\n%s", err, Format(file.Order))
		}
		if !reflect.DeepEqual(again, file.Order) {
			t.Fatalf("read back differently:\n%+v\n%+v", file.Order, again)
		}
	})
}
