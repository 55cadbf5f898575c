package flash

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"traveler.example/agent"
	profiles "traveler.example/firmware-profiles"
)

func TestMachineOf(t *testing.T) {
	t.Parallel()
	for want, text := range headers {
		if got, err := machineOf(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", want, got, err)
		}
	}
	big := elfHeader(2, 183)
	big[5] = 2
	for name, text := range map[string][]byte{
		"empty": nil, "script": []byte("#!/bin/sh\nexec travelerd-real\n"), "cut off": headers[profiles.ArchARM64][:19],
		"riscv64": elfHeader(2, 243), "big-endian": big, "x32": elfHeader(1, 62),
	} {
		if got, err := machineOf(text); err == nil {
			t.Errorf("%s is taken for %s", name, got)
		}
	}
}

func TestFindPrograms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(place string, arch profiles.Arch) string {
		file := filepath.Join(dir, place)
		write(t, file, headers[arch], 0o755)
		return file
	}
	self := put("bin/traveler", profiles.ArchAMD64)
	put("bin/travelerd", profiles.ArchAMD64)
	put("bin/linux-arm64/travelerd", profiles.ArchARM64)
	put("bin/linux-arm64/traveler", profiles.ArchARM64)
	cross := put("bin/linux-amd64/traveler", profiles.ArchAMD64)
	alone := put("alone/travelerd", profiles.ArchARM)
	put("mixed/travelerd", profiles.ArchARM64)
	put("mixed/traveler", profiles.ArchAMD64)
	script := filepath.Join(dir, "script")
	write(t, script, []byte("#!/bin/sh\n"), 0o755)
	for _, tt := range []struct {
		name        string
		arch        profiles.Arch
		named, self string
		from        string // the daemon's; empty: an error
		count       int
		is          error
	}{
		{"beside", profiles.ArchAMD64, "", self, "bin/travelerd", 2, nil},
		{"cross-built", profiles.ArchARM64, "", self, "bin/linux-arm64/travelerd", 2, nil},
		{"from a cross-built one", profiles.ArchARM64, "", cross, "bin/linux-arm64/travelerd", 2, nil},
		{"not built", profiles.ArchARM, "", self, "", 0, agent.ErrNotFound},
		{"named", profiles.ArchARM, alone, self, "alone/travelerd", 1, nil},
		{"named directory", profiles.ArchARM, filepath.Dir(alone), self, "alone/travelerd", 1, nil},
		{"named for another", profiles.ArchARM64, alone, self, "", 0, ErrArchitecture},
		{"tool for another", profiles.ArchARM64, filepath.Join(dir, "mixed"), self, "", 0, ErrArchitecture},
		{"no program", profiles.ArchARM64, script, self, "", 0, ErrArchitecture},
		{"named, not there", profiles.ArchARM64, filepath.Join(dir, "none"), self, "", 0, fs.ErrNotExist},
		{"board without arch", "", "", self, "", 0, agent.ErrNotFound},
		{"board without arch, named", "", alone, self, "alone/travelerd", 1, nil},
	} {
		found, err := FindPrograms(tt.arch, tt.named, tt.self)
		if tt.from == "" {
			if !errors.Is(err, tt.is) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.is)
			}
			continue
		}
		if err != nil || len(found) != tt.count || found[0].From != filepath.Join(dir, tt.from) || found[0].Name != daemonName {
			t.Errorf("%s: %v, %+v", tt.name, err, found)
		}
	}
}

func TestConfigured(t *testing.T) {
	t.Parallel()
	wanted := []string{"enable_uart=1", "dtparam=spi=on"}
	block := markBegin + "\n[all]\nenable_uart=1\ndtparam=spi=on\n" + markEnd + "\n"
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", block},
		{"no line end", "arm_64bit=1", "arm_64bit=1\n" + block},
		{"under a filter", "[pi3]\nenable_uart=1\n", "[pi3]\nenable_uart=1\n" + block},
		{"there already", "enable_uart=1\n[pi3]\nx=1\n[all]\ndtparam=spi=on\n", "enable_uart=1\n[pi3]\nx=1\n[all]\ndtparam=spi=on\n"},
		{"there in part, with CR LF", "enable_uart=1\r\n", "enable_uart=1\r\n" + markBegin + "\n[all]\ndtparam=spi=on\n" + markEnd + "\n"},
		{"commented out", "#enable_uart=1\n", "#enable_uart=1\n" + block},
		{"of an earlier board", "a=1\n" + markBegin + "\n[all]\nold=1\n" + markEnd + "\nb=1\n", "a=1\nb=1\n" + block},
	} {
		got, err := configured(tt.text, wanted)
		if err != nil || got != tt.want {
			t.Errorf("%s: %v\n%s\nwant:\n%s", tt.name, err, got, tt.want)
		}
		if again, err := configured(got, wanted); err != nil || again != got {
			t.Errorf("%s: again: %v\n%s", tt.name, err, again)
		}
	}
	for _, cut := range []string{markBegin + "\nx=1\n", "x=1\n" + markEnd + "\n"} {
		if got, err := configured(cut, wanted); err == nil {
			t.Errorf("a mark without the other is taken: %s", got)
		}
	}
}

func TestWithoutConsole(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line    string
		ports   []string
		header  bool
		want    string
		removed []string
	}{
		{"console=serial0,115200 console=tty1 quiet\n", []string{"/dev/ttyAMA0"}, true, "console=tty1 quiet\n", []string{"console=serial0,115200"}},
		{"console=serial0,115200 quiet\n", []string{"/dev/ttyAMA0"}, false, "console=serial0,115200 quiet\n", nil},
		{"console=ttyAMA0 quiet", []string{"/dev/ttyAMA0"}, false, "quiet\n", []string{"console=ttyAMA0"}},
		{"console=serial0,115200 quiet", []string{"/dev/ttyUSB0"}, true, "console=serial0,115200 quiet", nil},
		{"", []string{"/dev/ttyAMA0"}, true, "", nil},
	} {
		got, removed := withoutConsole(tt.line, tt.ports, tt.header)
		if got != tt.want || !slices.Equal(removed, tt.removed) {
			t.Errorf("%q: %q, %q", tt.line, got, removed)
		}
	}
}

func TestReadBatch(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "boards.toml")
	read := func(text string) ([]Job, error) {
		write(t, file, []byte(text), 0o644)
		return ReadBatch(file)
	}
	jobs, err := read("[[board]]\ngateway = \"G-1\"\nroot = \"cards/1\"\nbinary = \"bin\"\n[[board]]\ngateway = \"G-2\"\nroot = \"/media/2\"\n")
	want := []Job{
		{"G-1", filepath.Join(filepath.Dir(file), "cards/1"), filepath.Join(filepath.Dir(file), "bin")},
		{"G-2", "/media/2", ""},
	}
	if err != nil || !slices.Equal(jobs, want) {
		t.Errorf("%v, %v", jobs, err)
	}
	for text, says := range map[string]string{
		"":                             "no [[board]]",
		"[[board]]":                    "has no gateway",
		"[[board]]\ngateway = \"G\"\n": "has no root",
		"[[board]]\ngateway = \"G\"\nroot = \"a\"\n[[board]]\ngateway = \"G\"\nroot = \"b\"\n":  "stands twice",
		"[[board]]\ngateway = \"G\"\nroot = \"a\"\n[[board]]\ngateway = \"H\"\nroot = \"a/\"\n": "stands twice",
		"[[board]]\ngateway = \"G\"\nrot = \"a\"\n":                                             ":3:1:",
		"[[board]]\ngateway = 3\n": ":2:11:",
		"board = ":                 ":1:",
		strings.Repeat("[[board]]\n", maxBoards+1): "at most",
		strings.Repeat("#", maxText+1):             "more than",
	} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.60q: %v; want %q", text, err, says)
		}
	}
}

func FuzzParseBatch(f *testing.F) {
	f.Add([]byte("[[board]]\ngateway = \"G-1\"\nroot = \"cards/1\"\n"))
	f.Add([]byte("board = [{ gateway = \"G\", root = \"x\", size = 1 }]"))
	f.Add([]byte("[[board]]\ngateway = 1e999\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		jobs, err := parseBatch("f", text)
		if err != nil {
			if !errors.Is(err, ErrBatch) {
				t.Errorf("%v is no ErrBatch", err)
			}
			return
		}
		for _, j := range jobs {
			if j.Gateway == "" || j.Root == "" {
				t.Errorf("%+v", j)
			}
		}
	})
}

// FuzzConfigured: whatever a card has in config.txt, all of it is kept, what is wanted
// is in effect, and doing it again changes nothing.
func FuzzConfigured(f *testing.F) {
	f.Add("[pi4]\nenable_uart=1\n")
	f.Add(markBegin + "\nx\n" + markEnd + "\n" + markBegin + "\n")
	f.Add("a=1\r\n[all]\r\nenable_uart=1")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := configured(text, []string{"enable_uart=1"})
		if err != nil {
			return
		}
		if !slices.Contains(profiles.FirmwareSettings(got, ""), "enable_uart=1") {
			t.Errorf("not in effect:\n%s", got)
		}
		if !strings.Contains(text, markBegin) && !strings.HasPrefix(got, text) {
			t.Errorf("%q has become %q", text, got)
		}
		if again, err := configured(got, []string{"enable_uart=1"}); err != nil || again != got {
			t.Errorf("again: %v\n%q\n%q", err, got, again)
		}
	})
}

func FuzzGatewayIn(f *testing.F) {
	f.Add([]byte("gateway = \"G-1\"   # x\n"))
	f.Add([]byte("gateway = \"\\q\""))
	f.Fuzz(func(_ *testing.T, text []byte) { gatewayIn(text) })
}
