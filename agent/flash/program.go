package flash

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"traveler.example/agent"
	profiles "traveler.example/firmware-profiles"
)

// ErrArchitecture refuses a program that was built for another machine than the board.
var ErrArchitecture = errors.New("built for another machine")

// The programs of a board; the daemon must be there.
const (
	daemonName = "travelerd"
	toolName   = "traveler"
	binDir     = "/usr/bin"
)

// maxProgram bounds a program, in bytes; ours have some tens of MiB.
const maxProgram = 256 << 20

// Program is one executable for a board.
type Program struct {
	Name string // of the file in /usr/bin
	From string // where it was found
	Text []byte
}

// machines are those of the ELF header by architecture.
var machines = map[profiles.Arch]struct {
	class   elf.Class
	machine elf.Machine
}{
	profiles.ArchAMD64: {elf.ELFCLASS64, elf.EM_X86_64},
	profiles.ArchARM64: {elf.ELFCLASS64, elf.EM_AARCH64},
	profiles.ArchARM:   {elf.ELFCLASS32, elf.EM_ARM},
}

// machineOf tells from its first bytes for which machine a program was built (ELF
// specification, "ELF Header"). The error says what is no such program.
func machineOf(text []byte) (profiles.Arch, error) {
	const machineAt, headerEnd = 18, 20
	if len(text) < headerEnd || string(text[:4]) != elf.ELFMAG {
		return "", errors.New("it is no program for Linux (no ELF header)")
	}
	if elf.Data(text[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return "", errors.New("it is a program for big-endian machines, which none of the boards is")
	}
	class, machine := elf.Class(text[elf.EI_CLASS]), elf.Machine(binary.LittleEndian.Uint16(text[machineAt:]))
	for arch, m := range machines {
		if m.class == class && m.machine == machine {
			return arch, nil
		}
	}
	return "", fmt.Errorf("it is a program for %v, which none of the boards is", machine)
}

// FindPrograms finds travelerd, and traveler beside it, for a machine. Named is
// travelerd or the directory in which it lies. If it is empty they are looked for
// beside executable, and in the directories that `make cross` fills. The errors wrap
// ErrArchitecture and agent.ErrNotFound.
func FindPrograms(arch profiles.Arch, named, executable string) ([]Program, error) {
	if named != "" {
		return programsAt(arch, named)
	}
	if arch == "" {
		return nil, fmt.Errorf("which programs fit the board: %w: its board profile does not say arch under [boot]", agent.ErrNotFound)
	}
	beside := filepath.Dir(executable)
	cross := "linux-" + string(arch)
	var tried []string
	for _, dir := range []string{beside, filepath.Join(beside, cross), filepath.Join(filepath.Dir(beside), cross)} {
		found, err := programsAt(arch, filepath.Join(dir, daemonName))
		switch {
		case err == nil:
			return found, nil
		case errors.Is(err, ErrArchitecture):
			tried = append(tried, dir+" (there for another machine)")
		case errors.Is(err, fs.ErrNotExist):
			tried = append(tried, dir)
		default:
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s for %s: %w in %s", daemonName, arch, agent.ErrNotFound, strings.Join(tried, ", "))
}

// programsAt takes travelerd at a path and, if it lies beside it, traveler.
func programsAt(arch profiles.Arch, named string) ([]Program, error) {
	info, err := os.Stat(named)
	if err != nil {
		return nil, fmt.Errorf("reading the program: %w", err)
	}
	if info.IsDir() {
		named = filepath.Join(named, daemonName)
	}
	d, err := readProgram(arch, daemonName, named)
	if err != nil {
		return nil, err
	}
	tool, err := readProgram(arch, toolName, filepath.Join(filepath.Dir(named), toolName))
	if errors.Is(err, fs.ErrNotExist) {
		return []Program{d}, nil
	} else if err != nil {
		return nil, err
	}
	return []Program{d, tool}, nil
}

func readProgram(arch profiles.Arch, name, file string) (Program, error) {
	f, err := os.Open(file)
	if err != nil {
		return Program{}, fmt.Errorf("reading the program: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	text, err := readAll(file, f, maxProgram)
	if err != nil {
		return Program{}, err
	}
	built, err := machineOf(text)
	switch {
	case err != nil:
		return Program{}, fmt.Errorf("%s: %w: %w", file, ErrArchitecture, err)
	case arch != "" && built != arch:
		return Program{}, fmt.Errorf("%s: %w: it is for %s, the board is %s", file, ErrArchitecture, built, arch)
	}
	return Program{name, file, text}, nil
}
