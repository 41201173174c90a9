import Accelerators
import Files
import Foundation
import Models
import NN
import PJRT
import Settings
import TensorCore
import TestSupport
import Testing

/// Discriminator, its losses and perceptual distances against PyTorch, values and gradients.
@Suite struct ImageLossTests {
    private static func images(_ shape: Shape, _ name: String) -> Tensor {
        var stream = RandomStream(seed: 5, name)
        return Tensor((0..<shape.elementCount).map { _ in 2 * stream.uniform() - 1 }, shape: shape)
    }

    private static func write(_ tensors: [(String, Tensor)], to url: URL) throws {
        try SafetensorsFile.write(tensors.map { ($0.0, $0.1.shape, .float32($0.1.values)) }, to: url)
    }

    private static func expectClose(
        _ ours: Tensor?, _ name: String, _ file: SafetensorsFile, within tolerance: Float, _ note: String = ""
    ) throws {
        let (values, expected) = (try #require(ours).values, try file.floats(name))
        #expect(values.count == expected.count)
        let largest = expected.map(abs).max() ?? 0
        let error = zip(values, expected).map { abs($0 - $1) }.max() ?? .infinity
        #expect(error <= tolerance * largest && largest > 0, "\(name) \(note): \(error) of \(largest)")
    }

    /// pix2pix's discriminator in torch.nn, loaded strictly from our file; then one step of each kind of loss.
    private static let discriminatorPeer = """
        import sys, torch, torch.nn as nn, torch.nn.functional as F
        from safetensors.torch import load_file, save_file
        folder, channels, width, layers = sys.argv[1], *map(int, sys.argv[2:])
        m, c = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)], width
        for n in range(1, layers + 1):
            d = width * min(2 ** n, 8)
            m += [nn.Conv2d(c, d, 4, 2 if n < layers else 1, 1, bias=False), nn.BatchNorm2d(d), nn.LeakyReLU(0.2)]
            c = d
        m += [nn.Conv2d(c, 1, 4, 1, 1)]
        class D(nn.Module):
            def __init__(self): super().__init__(); self.main = nn.Sequential(*m)
            def forward(self, x): return self.main(x)
        net = D()
        net.load_state_dict(load_file(folder + "/model.safetensors"), strict=True)
        data = load_file(folder + "/images.safetensors")
        x, y = [data[k].permute(0, 3, 1, 2).contiguous() for k in ("real", "rebuilt")]
        ema, out = data["averages"], {}
        bce = F.binary_cross_entropy_with_logits
        for kind in ["vanilla", "hinge", "nonSaturating"]:
            net.load_state_dict(load_file(folder + "/model.safetensors"))
            net.train()
            z = y.clone().requires_grad_()
            f = net(z)
            g = bce(f, torch.ones_like(f)) if kind == "nonSaturating" else -f.mean()
            out[kind + ".generator"] = g.detach()[None]
            out[kind + ".dx"] = torch.autograd.grad(g, z)[0].permute(0, 2, 3, 1)
            net.load_state_dict(load_file(folder + "/model.safetensors"))
            r, f = net(x), net(y)
            if kind == "hinge": loss = 0.5 * (F.relu(1 - r).mean() + F.relu(1 + f).mean())
            else: loss = 0.5 * (bce(r, torch.ones_like(r)) + bce(f, torch.zeros_like(f)))
            loss = loss + 0.3 * (F.relu(r - ema[1]).pow(2).mean() + F.relu(ema[0] - f).pow(2).mean())
            out[kind + ".discriminator"] = loss.detach()[None]
            out[kind + ".averages"] = torch.stack([0.999 * ema[0] + 0.001 * r.mean(), 0.999 * ema[1] + 0.001 * f.mean()]).detach()
            out[kind + ".logits"] = r.detach().permute(0, 2, 3, 1)
            # One step of plain AdamW at rate 0.01.
            o = torch.optim.AdamW(net.parameters(), lr=0.01, betas=(0.5, 0.9), eps=1e-3, weight_decay=0)
            o.zero_grad(); loss.backward(); o.step()
            for k, v in net.state_dict().items():
                if v.is_floating_point(): out[f"{kind}.after.{k}"] = v.clone()
        save_file({k: v.contiguous() for k, v in out.items()}, folder + "/peer.safetensors")
        """

    @Test(arguments: [(28, 1, 2, 3), (24, 3, 3, 4), (32, 3, 1, 5)])
    func discriminatorAndItsLossesArePyTorchs(_ size: Int, _ channels: Int, _ layers: Int, _ width: Int) throws {
        try withTemporaryFolder { folder in
            let (real, rebuilt) = (
                Self.images([3, size, size, channels], "real"), Self.images([3, size, size, channels], "rebuilt")
            )
            func made(_ loss: AdversarySettings.Loss) -> Adversary {
                let network = PatchDiscriminator(
                    channels: channels, width: width, layers: layers, stream: RandomStream(seed: 1, "initial"))
                // Larger weights than initial ones, so that every layer matters; moments that are not the initial ones.
                var stream = RandomStream(seed: 2, "disturb")
                for parameter in network.parameters where parameter.shape.count == 4 {
                    parameter.value.overwrite(with: (0..<parameter.count).map { _ in 0.15 * stream.normal() })
                }
                for buffer in network.buffers {
                    buffer.value.overwrite(with: buffer.value.values.map { $0 + 0.3 * stream.uniform() })
                }
                let adversary = Adversary(
                    network, adversarySettings(weight: 1, loss, lecam: 0.3, startStep: 0),
                    optimizer: AdamW(network.parameters, .init(beta1: 0.5, beta2: 0.9, epsilon: 1e-3)))
                adversary.lecam.averages.value.overwrite(with: [0.2, -0.1])
                return adversary
            }
            let start = made(.vanilla).discriminator
            try ParameterFiles.save(
                [("", start.parameters + start.buffers)], to: folder.appendingPathComponent("model.safetensors"))
            try Self.write(
                [("real", real), ("rebuilt", rebuilt), ("averages", Tensor([0.2, -0.1], shape: [2]))],
                to: folder.appendingPathComponent("images.safetensors"))
            _ = try python(Self.discriminatorPeer, folder.path, "\(channels)", "\(width)", "\(layers)")
            let peer = try SafetensorsFile(reading: folder.appendingPathComponent("peer.safetensors"))
            for (name, loss) in [("vanilla", AdversarySettings.Loss.vanilla), ("hinge", .hinge), ("nonSaturating", .nonSaturating)] {
                let adversary = made(loss)
                try Self.expectClose(adversary.discriminator(real, .batch), "\(name).logits", peer, within: 1e-5)
                let tape = Tape()
                let input = tape.variable(rebuilt)
                let generator = adversary.generatorLoss(input)
                tape.backward(from: generator)
                try Self.expectClose(generator, "\(name).generator", peer, within: 1e-5)
                try Self.expectClose(tape.gradient(of: input), "\(name).dx", peer, within: 1e-4)
                let report = adversary.update(real: real, rebuilt: rebuilt, rate: 0.01)
                try Self.expectClose(Tensor([report.loss], shape: [1]), "\(name).discriminator", peer, within: 1e-5)
                try Self.expectClose(adversary.lecam.averages.value, "\(name).averages", peer, within: 1e-5)
                // Through a file, in PyTorch's layout.
                let after = folder.appendingPathComponent("after.safetensors")
                let tensors = adversary.discriminator.parameters + adversary.discriminator.buffers
                try ParameterFiles.save([("", tensors)], to: after)
                let file = try SafetensorsFile(reading: after)
                for key in file.names {
                    let saved = Tensor(try file.floats(key), shape: try file.shape(key))
                    #expect(try peer.shape("\(name).after.\(key)") == saved.shape)
                    try Self.expectClose(saved, "\(name).after.\(key)", peer, within: 1e-3)
                }
            }
            #expect(start.parameters.allSatisfy { $0.shape.count == 4 || $0.shape.count == 1 })
            let side = PatchDiscriminator.logits(imageSize: size, layers: layers)
            #expect(start(real, .running).shape == [3, side, side, 1])
        }
    }

    /// R1 by PyTorch's second derivatives: what the penalty alone does to the parameters in a step of AdamW with moments of 0,
    /// where the update is the gradient divided by its size and ε.
    private static let penaltyPeer = """
        import sys, torch, torch.nn as nn, torch.nn.functional as F
        from safetensors.torch import load_file, save_file
        folder, channels, width, layers = sys.argv[1], *map(int, sys.argv[2:])
        w, data = load_file(folder + "/model.safetensors"), load_file(folder + "/images.safetensors")
        w = {k: v.requires_grad_() for k, v in w.items() if "running" not in k}
        x, y = [data[k].permute(0, 3, 1, 2).contiguous() for k in ("real", "rebuilt")]
        def net(x):
            place = 0
            for n in range(layers + 2):
                x = F.conv2d(x, w[f"main.{place}.weight"], w.get(f"main.{place}.bias"), 2 if n < layers else 1, 1)
                if n == layers + 1: return x
                if n: x = F.batch_norm(x, None, None, w[f"main.{place + 1}.weight"], w[f"main.{place + 1}.bias"], True)
                x, place = F.leaky_relu(x, 0.2), place + (3 if n else 2)
        r, f = net(x), net(y)
        loss = 0.5 * (F.softplus(-r).mean() + F.softplus(f).mean())
        z = x.clone().requires_grad_()
        g = torch.autograd.grad(net(z).sum(), z, create_graph=True)[0]
        r1 = 0.5 * g.pow(2).sum() / len(x)
        (loss + 0.7 * r1).backward()
        with torch.no_grad():
            out = {k: v - 0.01 * v.grad / (v.grad.abs() + 10) for k, v in w.items()}
        save_file({**{k: v.contiguous() for k, v in out.items()}, "r1": r1.detach()[None]}, folder + "/peer.safetensors")
        """

    @Test(arguments: [(28, 1, 2, 3), (24, 3, 3, 4), (16, 3, 1, 5)])
    func theGradientPenaltyIsPyTorchs(_ size: Int, _ channels: Int, _ layers: Int, _ width: Int) throws {
        try withTemporaryFolder { folder in
            let (real, rebuilt) = (
                Self.images([3, size, size, channels], "real"), Self.images([3, size, size, channels], "rebuilt")
            )
            func made(r1: Double) -> Adversary {
                let network = PatchDiscriminator(
                    channels: channels, width: width, layers: layers, stream: RandomStream(seed: 1, "initial"))
                var stream = RandomStream(seed: 2, "disturb")
                for parameter in network.parameters where parameter.shape.count == 4 {
                    parameter.value.overwrite(with: (0..<parameter.count).map { _ in 0.15 * stream.normal() })
                }
                var settings = adversarySettings(weight: 1, .vanilla, lecam: 0, startStep: 0)
                (settings.r1, settings.r1Every) = (r1, 5)
                return Adversary(network, settings, optimizer: AdamW(network.parameters, .init(beta1: 0, beta2: 0, epsilon: 10)))
            }
            func values(_ adversary: Adversary) -> [[Float]] { adversary.discriminator.parameters.map(\.value.values) }
            let adversary = made(r1: 0.7)
            try ParameterFiles.save(
                [("", adversary.discriminator.parameters)], to: folder.appendingPathComponent("model.safetensors"))
            try Self.write([("real", real), ("rebuilt", rebuilt)], to: folder.appendingPathComponent("images.safetensors"))
            _ = try python(Self.penaltyPeer, folder.path, "\(channels)", "\(width)", "\(layers)")
            let peer = try SafetensorsFile(reading: folder.appendingPathComponent("peer.safetensors"))
            let before = values(adversary)
            let report = adversary.update(real: real, rebuilt: rebuilt, rate: 0.01, step: 10)
            // Through a file, in PyTorch's layout. What is compared is how far the step went.
            let after = folder.appendingPathComponent("after.safetensors")
            try ParameterFiles.save([("", adversary.discriminator.parameters)], to: after)
            let (file, start) = (
                try SafetensorsFile(reading: after), try SafetensorsFile(reading: folder.appendingPathComponent("model.safetensors"))
            )
            for key in file.names {
                let (from, ours, theirs) = (try start.floats(key), try file.floats(key), try peer.floats(key))
                let largest = zip(theirs, from).map { abs($0 - $1) }.max() ?? 0
                let error = zip(ours, theirs).map { abs($0 - $1) }.max() ?? .infinity
                // A value near 1 is stored to 6e-8, in the file of either.
                #expect(error <= 2e-3 * largest + 2e-7, "\(key): \(error) of \(largest)")
            }
            #expect(try peer.floats("r1")[0] > 0)
            // Steps between have none of it, whatever its weight.
            let (plain, between) = (made(r1: 0), made(r1: 0.7))
            #expect(plain.update(real: real, rebuilt: rebuilt, rate: 0.01, step: 10).loss == report.loss)
            _ = between.update(real: real, rebuilt: rebuilt, rate: 0.01, step: 11)
            #expect(values(plain) == values(between) && values(plain) != values(adversary) && values(plain) != before)
        }
    }

    @Test func convolutionWeightsSurviveAFile() throws {
        try withTemporaryFolder { folder in
            func network(_ seed: Int) -> PatchDiscriminator {
                PatchDiscriminator(channels: 3, width: 4, layers: 2, stream: RandomStream(seed: seed, "initial"))
            }
            let (one, other) = (network(1), network(2))
            let url = folder.appendingPathComponent("d.safetensors")
            try ParameterFiles.save([("d.", one.parameters)], to: url)
            try ParameterFiles.load(other.parameters, from: SafetensorsFile(reading: url), prefix: "d.")
            for (a, b) in zip(one.parameters, other.parameters) { #expect(a.value.values == b.value.values) }
        }
    }

    @Test func discriminatorsThatLeaveNothingAreKnown() {
        #expect(PatchDiscriminator.logits(imageSize: 28, layers: 3) == 1)
        #expect(PatchDiscriminator.logits(imageSize: 32, layers: 2) == 6)
        #expect(PatchDiscriminator.logits(imageSize: 256, layers: 3) == 30)
        #expect(PatchDiscriminator.logits(imageSize: 8, layers: 2) == 0)
        for (size, layers) in [(28, 1), (28, 3), (28, 4), (24, 3), (16, 2), (11, 2), (12, 2), (1024, 8)] {
            #expect((PatchDiscriminator.logits(imageSize: size, layers: layers) > 0) == (size >> layers >= 3))
        }
    }

    // MARK: Perceptual distance

    /// A distance and its gradient by a program on the CPU plugin.
    private static func traced(_ loss: PerceptualLoss, rebuilt: Tensor, real: Tensor) throws -> (distance: Tensor, gradient: Tensor) {
        let (program, tape) = (Program("perceptual"), Tape())
        let input = tape.variable(program.input("rebuilt", rebuilt.shape))
        let distance = loss.traced(in: program, prefix: "network/")(rebuilt: input, real: program.input("real", real.shape))
        tape.backward(from: distance)
        program.output("distance", distance.detached())
        program.output("gradient", try #require(tape.gradient(of: input)))
        let accelerator = try Accelerator(testClient(devices: 1))
        var buffers = ["rebuilt": try accelerator.copy(rebuilt), "real": try accelerator.copy(real)]
        for (name, tensor) in loss.tensors { buffers["network/\(name)"] = try accelerator.copy(tensor) }
        let values = try accelerator.compile(program.traced()).run(buffers)
        return (try values.tensor("distance"), try values.tensor("gradient"))
    }

    /// LPIPS on VGG-16 as its parts are published, with random weights of torch.
    private static let lpipsPeer = """
        import sys, torch, torch.nn as nn
        from safetensors.torch import load_file, save_file
        folder, g = sys.argv[1], torch.Generator().manual_seed(0)
        layers, c = [], 3
        for v in [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]:
            if v == "M": layers += [nn.MaxPool2d(2, 2)]
            else: layers, c = layers + [nn.Conv2d(c, v, 3, padding=1), nn.ReLU()], v
        features = nn.Sequential(*layers)
        lins = [torch.rand(1, n, 1, 1, generator=g) for n in (64, 128, 256, 512, 512)]
        weights = {}
        with torch.no_grad():
            for k, v in features.state_dict().items():
                v.normal_(0, (2 / v[0].numel()) ** 0.5 if v.ndim == 4 else 0.05, generator=g)
                weights["features." + k] = v
        for i, w in enumerate(lins): weights[f"lin{i}.model.1.weight"] = w
        save_file(weights, folder + "/weights.safetensors")
        data = load_file(folder + "/images.safetensors")
        shift, scale = torch.tensor([-.030, -.088, -.188])[:, None, None], torch.tensor([.458, .448, .450])[:, None, None]
        def taps(x):
            x = (x.expand(-1, 3, -1, -1) - shift) / scale
            for i, layer in enumerate(features[:30]):
                x = layer(x)
                if i in (3, 8, 15, 22, 29): yield x / (x.pow(2).sum(1, keepdim=True).sqrt() + 1e-10)
        a = data["rebuilt"].permute(0, 3, 1, 2).contiguous().requires_grad_()
        b = data["real"].permute(0, 3, 1, 2)
        loss = sum(((u - v.detach()) ** 2 * w).sum(1).mean() for u, v, w in zip(taps(a), taps(b), lins))
        loss.backward()
        save_file({"loss": loss.detach()[None], "dx": a.grad.permute(0, 2, 3, 1).contiguous()}, folder + "/peer.safetensors")
        """

    @Test(arguments: [1, 3])
    func lpipsIsPyTorchs(_ channels: Int) throws {
        try withTemporaryFolder { folder in
            let (real, rebuilt) = (Self.images([2, 28, 32, channels], "real"), Self.images([2, 28, 32, channels], "rebuilt"))
            try Self.write([("real", real), ("rebuilt", rebuilt)], to: folder.appendingPathComponent("images.safetensors"))
            _ = try python(Self.lpipsPeer, folder.path)
            let weights = folder.appendingPathComponent("weights.safetensors")
            let loss = PerceptualLoss(try LPIPS(weights: SafetensorsFile(reading: weights)))
            let peer = try SafetensorsFile(reading: folder.appendingPathComponent("peer.safetensors"))
            let tape = Tape()
            let input = tape.variable(rebuilt)
            let distance = loss(rebuilt: input, real: real)
            tape.backward(from: distance)
            try Self.expectClose(distance, "loss", peer, within: 1e-4)
            try Self.expectClose(tape.gradient(of: input), "dx", peer, within: 2e-3)
            #expect(loss(rebuilt: real, real: real).scalar == 0)
            if testPlugin != nil {
                let traced = try Self.traced(loss, rebuilt: rebuilt, real: real)
                try Self.expectClose(traced.distance, "loss", peer, within: 1e-4, "traced")
                try Self.expectClose(traced.gradient, "dx", peer, within: 2e-3, "traced")
            }
        }
    }

    @Test func lpipsNamesWhatIsMissing() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("w.safetensors")
            try Self.write([("features.0.weight", .zeros([64, 3, 3, 3])), ("features.0.bias", .zeros([3]))], to: url)
            let error = #expect(throws: InputError.self) { try LPIPS(weights: SafetensorsFile(reading: url)) }
            #expect(error?.message.contains("features.0.bias") == true && error?.message.contains("[64]") == true)
        }
    }

    /// Larger images than the network looks at, which are averaged, and smaller ones, which are drawn out.
    @Test(arguments: [(256, 3), (32, 1)])
    func logitsOfConvNeXtArePyTorchs(_ size: Int, _ channels: Int) throws {
        try withTemporaryFolder { folder in
            let shape = [1, size, size, channels]
            let (real, rebuilt) = (Self.images(shape, "real"), Self.images(shape, "rebuilt"))
            try Self.write([("real", real), ("rebuilt", rebuilt)], to: folder.appendingPathComponent("images.safetensors"))
            _ = try python(
                """
                import sys
                sys.dont_write_bytecode = True
                sys.path.insert(0, sys.argv[1])
                import convnext
                convnext.main(sys.argv[2:])
                """, packageRoot.appendingPathComponent("Tests/reference").path, folder.path)
            let network = try ConvNeXt(weights: SafetensorsFile(reading: folder.appendingPathComponent("weights.safetensors")))
            let peer = try SafetensorsFile(reading: folder.appendingPathComponent("peer.safetensors"))
            try Self.expectClose(network.logits(rebuilt), "logits", peer, within: 1e-4)
            let loss = PerceptualLoss(network)
            let tape = Tape()
            let input = tape.variable(rebuilt)
            let distance = loss(rebuilt: input, real: real)
            tape.backward(from: distance)
            try Self.expectClose(distance, "loss", peer, within: 1e-3)
            try Self.expectClose(tape.gradient(of: input), "dx", peer, within: 2e-3)
            if size < 224, testPlugin != nil {
                let traced = try Self.traced(loss, rebuilt: rebuilt, real: real)
                try Self.expectClose(traced.distance, "loss", peer, within: 1e-3, "traced")
                try Self.expectClose(traced.gradient, "dx", peer, within: 2e-3, "traced")
            }
            let sum = PerceptualLoss([(loss, 1), (loss, 0.5)])
            #expect(abs(sum(rebuilt: rebuilt, real: real).scalar - 1.5 * distance.scalar) <= 1e-5 * distance.scalar)
        }
    }

    @Test func convNeXtNamesWhatIsMissing() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("w.safetensors")
            func message(_ tensors: [(String, Tensor)]) throws -> String {
                try Self.write(tensors, to: url)
                return #expect(throws: InputError.self) { try ConvNeXt(weights: SafetensorsFile(reading: url)) }?.message ?? ""
            }
            // The tiny network has the same stem and fewer blocks; VGG-16 has neither.
            let stem: [(String, Tensor)] = [
                ("features.0.0.weight", .zeros([96, 3, 4, 4])), ("features.0.0.bias", .zeros([96])),
                ("features.0.1.weight", .zeros([96])), ("features.0.1.bias", .zeros([96])),
            ]
            #expect(try message(stem).contains("features.1.0.block.0.weight"))
            let other = try message([("features.0.0.weight", .zeros([128, 3, 4, 4]))])
            #expect(other.contains("[128, 3, 4, 4]") && other.contains("[96, 3, 4, 4]") && other.contains("w.safetensors"))
            #expect(try message([("features.0.weight", .zeros([64, 3, 3, 3]))]).contains("features.0.0.weight"))
        }
    }

    /// The classifier's distance and its gradient, by finite differences of its own double-precision definition: of two
    /// images that differ in one direction, the slope is the gradient's.
    @Test func classifierDistanceHasItsGradient() throws {
        let classifier = ImageClassifier(
            .init(imageSize: 12, channels: 1, outputs: 3, width: 4, features: 5), parameters: .random(RandomStream(seed: 1, "classifier")))
        let loss = PerceptualLoss(classifier)
        let (real, rebuilt) = (Self.images([2, 12, 12, 1], "real"), Self.images([2, 12, 12, 1], "rebuilt"))
        let tape = Tape()
        let input = tape.variable(rebuilt)
        let distance = loss(rebuilt: input, real: real)
        #expect(distance.scalar > 0.01)
        #expect(loss(rebuilt: real, real: real).scalar == 0)
        tape.backward(from: distance)
        let gradient = try #require(tape.gradient(of: input))
        let size = gradient.values.reduce(0) { $0 + $1 * $1 }
        let h: Float = 1e-3 / size.squareRoot()
        func moved(_ sign: Float) -> Float {
            loss(rebuilt: Tensor(zip(rebuilt.values, gradient.values).map { $0 + sign * h * $1 }, shape: rebuilt.shape), real: real).scalar
        }
        #expect(abs((moved(1) - moved(-1)) / (2 * h) - size) < 0.02 * size)
    }
}
