import Files
import Foundation
import TestSupport
import Testing

@Suite struct FileSystemTests {
    /// `findmnt` reads the same list.
    @Test func aFolderLiesOnWhatTheKernelSays() throws {
        for path in ["/", "/proc", "/dev/shm", NSTemporaryDirectory()] {
            let expected = try python(
                "import subprocess, sys; print(subprocess.run(['findmnt', '-n', '-o', 'FSTYPE', '-T', sys.argv[1]], capture_output=True, text=True).stdout.split()[-1])",
                path)
            #expect(FileSystem(of: URL(fileURLWithPath: path)).name == expected, "\(path)")
        }
    }

    @Test func sharedOnesAreTold() {
        let mounts = """
            20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw
            21 20 0:40 / /usr rw,relatime shared:2 master:1 - nfs4 server:/home rw,vers=4.2
            22 20 0:41 / /var rw - lustre mgs@tcp:/scratch rw
            23 22 0:42 / /var/lib rw - fuse.sshfs me@host:/ rw
            24 20 0:43 / /srv rw - tmpfs none rw
            25 20 0:44 / /etc rw - fuseblk /dev/sda1 rw
            26 20 0:45 / /usr/a\\040b rw - xfs /dev/sdb rw
            """
        func found(_ path: String) -> String {
            let system = FileSystem(of: URL(fileURLWithPath: path), mounts: mounts)
            return "\(system.name) \(system.isShared)"
        }
        #expect(found("/") == "ext4 false" && found("/opt") == "ext4 false")
        #expect(found("/usr/share") == "nfs4 true" && found("/usr/not/there") == "nfs4 true")
        #expect(found("/var/log") == "lustre true" && found("/var/lib/dpkg") == "fuse.sshfs true")
        #expect(found("/srv") == "tmpfs false" && found("/etc/ssl") == "fuseblk false")
    }
}
