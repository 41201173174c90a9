import Accelerators
import Foundation
import PJRT
import StableHLO
import TestSupport
import Testing

/// Bytes of optimised modules, against what their shapes say by hand.
struct ModuleTrafficTests {
    /// 8192 numbers in bfloat16 are 16 384 bytes, in float32 twice that.
    private static let module = """
        HloModule jit_step, is_scheduled=true, entry_computation_layout={(bf16[64,128]{1,0})->f32[64]{0}}

        %add (a: f32[], b: f32[]) -> f32[] {
          %a = f32[] parameter(0)
          %b = f32[] parameter(1)
          ROOT %sum = f32[] add(%a, %b)
        }

        %fused_slice (param_0: f32[64,128]) -> (f32[8,128], f32[8]) {
          %param_0 = f32[64,128]{1,0} parameter(0)
          %part = f32[8,128]{1,0} slice(%param_0), slice={[0:8], [0:128]}
          %zero = f32[] constant(0)
          %sums = f32[8]{0} reduce(%part, %zero), dimensions={1}, to_apply=%add
          ROOT %both = (f32[8,128]{1,0}, f32[8]{0}) tuple(%part, %sums)
        }

        %fused_update (param_0.1: f32[64,128], param_1: f32[1,128], param_2: s32[]) -> f32[64,128] {
          %param_0.1 = f32[64,128]{1,0} parameter(0)
          %param_1 = f32[1,128]{1,0} parameter(1)
          %param_2 = s32[] parameter(2)
          %origin = s32[] constant(0)
          ROOT %updated = f32[64,128]{1,0} dynamic-update-slice(%param_0.1, %param_1, %param_2, %origin)
        }

        %body (state: (s32[], f32[64,128])) -> (s32[], f32[64,128]) {
          %state = (s32[], f32[64,128]{1,0}) parameter(0)
          %place = s32[] get-tuple-element(%state), index=0
          %cache = f32[64,128]{1,0} get-tuple-element(%state), index=1
          %row = f32[1,128]{1,0} dynamic-slice(%cache, %place, %place), dynamic_slice_sizes={1,128}
          %written = f32[64,128]{1,0} fusion(%cache, %row, %place), kind=kLoop, calls=%fused_update
          ROOT %next = (s32[], f32[64,128]{1,0}) tuple(%place, %written)
        }

        %holds (state.1: (s32[], f32[64,128])) -> pred[] {
          %state.1 = (s32[], f32[64,128]{1,0}) parameter(0)
          ROOT %yes = pred[] constant(true)
        }

        ENTRY %main (x: bf16[64,128], w: bf16[128,128]) -> f32[64,128] {
          %x = bf16[64,128]{1,0} parameter(0), metadata={op_name="x (the first)"}
          %w = bf16[128,128]{1,0} parameter(1)
          %product = (f32[64,128]{1,0}, s8[4096]{0}) custom-call(%x, %w), custom_call_target="__cublas$lt$matmul"
          %y = f32[64,128]{1,0} get-tuple-element(%product), index=0
          %slice.1 = (f32[8,128]{1,0}, f32[8]{0}) fusion(%y), kind=kInput, calls=%fused_slice
          %mixed = bf16[64,128]{1,0} custom-call(%x, %x, %x), custom_call_target="__cudnn$fmhaSoftmax"
          %start = f32[64,128]{1,0} all-reduce-start(%y), replica_groups={{0,1}}, to_apply=%add
          %total = f32[64,128]{1,0} all-reduce-done(%start)
          %wide = f32[64,128]{1,0} convert(%mixed)
          %zero.1 = s32[] constant(0)
          %carried = (s32[], f32[64,128]{1,0}) tuple(%zero.1, %total)
          %loop = (s32[], f32[64,128]{1,0}) while(%carried), condition=%holds, body=%body, backend_config={"known_trip_count":{"n":"10"}}
          ROOT %result = f32[64,128]{1,0} get-tuple-element(%loop), index=1
        }

        """

    @Test func eachKernelReadsAndWritesOnce() {
        let traffic = ModuleTraffic(ofModule: Self.module)
        // x and w in; the product out, whose scratch memory of 4096 bytes is none that a step must move.
        #expect(traffic[.products].bytes == 16384 + 32768 + 32768)
        #expect(traffic[.attention].bytes == 4 * 16384)
        #expect(traffic[.collectives].bytes == 2 * 32768)
        // Eight rows in and out, and their sums; a conversion; ten times a row read, written, read and put into its place.
        let (slice, conversion, loop) = (2 * 4096 + 32, 16384 + 32768, 10 * (512 + 512 + (512 + 4) + 512))
        #expect(traffic[.elsewhere].bytes == slice + conversion + loop)
        #expect(traffic[.elsewhere].kernels == 2 + 20)
    }

    /// What a compiler leaves: one kernel that reads two arrays and writes one, and a product.
    @Test(.enabled(if: testPlugin != nil, "needs the CPU plugin of Tests/reference/requirements.txt"))
    func whatACompilerLeaves() throws {
        let folder = try makeTemporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let f = Function("main")
        let (x, y, w) = (f.argument([300, 200], .f32), f.argument([300, 200], .f32), f.argument([200, 100], .f32))
        f.return([f.apply(.tanh, f.multiply(f.add(x, y), x)), f.dot(x, w, contracting: ([1], [0]))])
        let options = CompileOptions(overrides: ["xla_dump_to": .text(folder.path), "xla_dump_hlo_as_text": .flag(true)])
        _ = try testClient(devices: 1).compile(Module("kernels", [f]).text, options)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        let file = try #require(names.first { $0.hasSuffix("after_optimizations.txt") })
        let traffic = ModuleTraffic(ofModule: try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8))
        #expect(traffic[.elsewhere].bytes == 4 * 3 * 60000)
        #expect(traffic[.products].bytes == 4 * (60000 + 20000 + 30000))
    }

    /// Options of every type reach the compiler, which names those that it does not know.
    @Test(.enabled(if: testPlugin != nil, "needs the CPU plugin of Tests/reference/requirements.txt"))
    func theCompilerReadsItsOptions() throws {
        let f = Function("main")
        f.return([f.argument([2], .f32)])
        let text = Module("options", [f]).text
        let known: [String: Client.Option] = [
            "xla_cpu_enable_fast_math": .flag(false), "xla_backend_optimization_level": .number(1),
            "xla_cpu_parallel_codegen_split_count": .number(300),
        ]
        let client = try testClient(devices: 1)
        _ = try client.compile(text, CompileOptions(overrides: known))
        #expect(throws: PJRTError.self) { try client.compile(text, CompileOptions(overrides: ["xla_of_nobody": .flag(true)])) }
    }
}
