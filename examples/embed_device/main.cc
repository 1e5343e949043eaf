// Embeds a cleave device: opens a model, runs one inference, says where it ran.
// Usage: embed_device MODEL.onnx [HOST:PORT of an edge]
#include <cleave/device.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: embed_device MODEL.onnx [HOST:PORT]\n";
    return 2;
  }
  cleave::DeviceOptions options;
  if (argc > 2) options.edge.address = argv[2];
  const auto device = cleave::Device::Open(argv[1], options);
  if (!device.ok()) {
    std::cerr << device.status().message() << "\n";
    return 1;
  }

  std::vector<cleave::NamedTensor> inputs;
  for (const cleave::TensorSpec& spec : (*device)->inputs()) {
    cleave::Shape shape = spec.shape;
    for (auto& size : shape) size = size < 0 ? 1 : size;  // -1 is the batch.
    const auto zeros = cleave::Tensor::Zeros(spec.dtype, shape);
    if (!zeros.ok()) return 1;
    inputs.push_back({spec.name, *zeros});
  }

  const auto record = (*device)->Infer(inputs);
  if (!record.ok()) {
    std::cerr << record.status().message() << "\n";
    return 1;
  }
  std::cout << "ran on " << cleave::WhereName(record->where) << " in " << record->latency_us
            << " us\n";
  for (const cleave::NamedTensor& output : record->outputs) {
    std::cout << output.name << " " << cleave::ShapeString(output.tensor.shape()) << "\n";
  }
}
