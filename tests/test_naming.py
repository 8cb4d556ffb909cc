"""What names suggest: for each question, the names that earned it their place, and those that look alike."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flake8_nograd import naming

YES_AND_NO: dict[Callable[[str], bool], tuple[str, str]] = {
    naming.sounds_like_model: (
        "model self.model net self.net netG netD network backbone encoder decoder generator discriminator critic "
        "actor policy policy_net target_network teacher student model_ema ema_model model_ft model_fp16 encoder_q "
        "netG_A2B model_without_ddp text_encoder_2 resnet18 resnet mymodel model.module vae unet actor_critic model2 "
        "model_engine self._model best_model models['gen'] self.esrnn fastrcnn textcnn cvae mlp",
        "model_name model_path model_config models_dir model_cfg net_params model_fn build_model get_model load_model "
        "G MODEL Net ResNet internet magnet encoder_outputs decoder_input generator_loss critic_optimizer actor_lr "
        "compose_model modules optimizer x loss ema_decay policy_grad is_model module_list model_to_save_path _",
    ),
    naming.sounds_like_preparation: (
        "prepare_sample preprocess preprocess_images build_mask tokenize_text reset_cache makeGrid get_ids_of_batch "
        "generate_square_subsequent_mask sample_noise denormalize",
        "predict encode get_features forward preparation unprepared embed _ predict_mask get_features_of_ids get",
    ),
    naming.sounds_like_batching: (
        "batch_size batchsize num_workers show_progress_bar",
        "batch batch_first size workers progress step",
    ),
    naming.sounds_like_parameters: (
        "auxiliary_param get_params parameters arch_parameters getParams",
        "parameterize parametrized predict param_count encode forward _",
    ),
    naming.sounds_like_question: (
        "is_available torch.cuda.is_available self.has_cuda can_autocast should_freeze isEnabled",
        "autocast no_grad inference_mode nullcontext is visible island has eval_mode this_is _",
    ),
    naming.sounds_like_layer: (
        "fc fc1 conv1 conv2_3 bn1 layer4 features classifier lm_head linear2",
        "weight bias cls_token pos_embed layers conv features_dim fc_dim layer running_mean",
    ),
    naming.misspells_requires_grad: (
        "require_grad requires_grads required_grad require_grads requires_gradient requires_gradients "
        "require_gradient requires_gard requried_grad reqires_grad require_grad_ requiresgrad requiresGrad",
        "requires_grad requires_grad_ retain_grad required grad no_grad requires_graph _requires_grad enable_grad "
        "set_requires_grad requires_grad_input reduce_grad requested_grad reset_grad",
    ),
    naming.sounds_like_loader: (
        "loader train_loader val_dl test_iter trainloader testloader batches data_loader dataloader self.val_loader "
        "loader_val loaders['val'] dataloaders data_iter iterator valDL",
        "max_iter n_iter iter num_batches loader_path get_loader make_dataloader DataLoader x data batch_size "
        "len_loader batches_done loader_cls",
    ),
    naming.sounds_like_class: ("ResNet G MODEL nn.Linear _Net", "resnet MODEL_name model Net_1 self.net"),
    naming.sounds_like_running: (
        "compute_loss self.loss_and_metric lo.l2_loss run_forward model_forward get_logits",
        "make_loss build_loss Loss adversarial_loss generate evaluate",
    ),
    naming.sounds_like_encoding: ("encode get_embeddings decode_latents", "predict logits encoder_name"),
    naming.sounds_like_forward: ("forward model_forward forward_features", "predict forwarded loss"),
    naming.says_evaluation: ("_eval_step _validate __eval_model evaluate", "_predict _forward_collect train_and_eval"),
    naming.mentions_loss: ("compute_loss loss_of get_losses", "predict accuracy"),
    naming.sounds_like_inference: (
        "classify detect_faces select_action get_action act transcribe",
        "evaluate describe action_space train encode detector",
    ),
    naming.sounds_like_evaluation_step: (
        "eval_step validation_step test_step val_step",
        "step train_step training_step train_eval_step evaluate test_steps_per_epoch",
    ),
    naming.sounds_like_evaluation_loader: (
        "val_loader valid_loader testloader dev_iter validation_generator test_data testset val_ds eval_dataloader "
        "loader_val self.val_loader loaders['test'] heldout_data test_images valDL",
        "train_loader loader trainset test_path val_size train_val_loader num_test_batches test val evaluate",
    ),
    naming.sounds_like_training_loader: (
        "train_loader trainloader trainset training_generator train_data train_val_loader loaders['train']",
        "val_loader loader train train_size testset",
    ),
    naming.sounds_like_evaluation: (
        "evaluate eval_epoch validate validation_step test test_epoch predict inference infer run_inference score "
        "compute_accuracy evaluate_model Evaluator generate_samples extract_features visualize sample save_images",
        "train train_and_evaluate fit forward latest main contest evaluate_and_train sample_batch compute_loss _",
    ),
    naming.sounds_like_metric: (
        "metric.update evaluator.process self.evaluator.add_batch accuracy top_k_accuracy self._val_acc.update "
        "stats.update meters['loss'].update torchmetrics.functional.auroc",
        "criterion self.head model loss_fn accelerate metrical F.cross_entropy",
    ),
    naming.sounds_like_record: (
        "metric.update losses.update top1.update self.log logger.info print accuracy utils.save_image scores.extend",
        "memory.access memory.update accelerator.gather catalogue.add logits_processor criterion F.cross_entropy",
    ),
    naming.sounds_like_training_on: (
        "agent.learn self.agent.update trainer.update learner.step_and_train model.train_model optimize train_step "
        "self.score_model.train_on",
        "meter.update metric.update self.evaluator.update pca.fit update update_metrics print agent.act evaluate "
        "callbacks.on_train_end self.handler.on_training_step_end self.train_acc.update train_accuracy "
        "self.training_metrics.update self.logger.train_info log_training_loss print_train_stats",
    ),
    naming.sounds_like_training: (
        "train fit training_step train_epoch optimize finetune update_critic update is_training self.training "
        "train_and_evaluate pretrain",
        "evaluate validation_step test forward step evaluate_training_set update_metrics update_progress_bar strain _",
    ),
    naming.sounds_like_inferer: (
        "inferer self.inferer val_inferer self.sliding_window_inferer",
        "SlidingWindowInferer inference infer inferer_type inferred _",
    ),
    naming.sounds_like_loading: (
        "load_from load_pretrained_weights load",
        "load_state_dict _load_from_state_dict reload_weights loader download loading _",
    ),
    naming.mentions_training: (
        "train self.training is_train istrain do_training args.train_mode trainer.testing self.trainable pretrain",
        "pretrained self.is_trained use_pretrained is_lua_trained_model constraint constrain strain restraints phase _",
    ),
    naming.sounds_like_bank: (
        "self.queue memory_bank self.feature_bank",
        "memory cache hidden banknote _",
    ),
    naming.sounds_like_average: (
        "running_mean self.ema avg_loss moving_avg ema_loss self.average_reward self.shadow",
        "mean total loss hidden momentum avgpool _",
    ),
    naming.sounds_like_environment: (
        "env self.test_envs eval_env.unwrapped vec_env env.envs",
        "env_name optimizer agent.step environ simulator",
    ),
    naming.sounds_like_optimizer_class: (
        "DualOptimizer base.BaseOptim",
        "optimizer BaseModel nn.Module OptimizerConfig.x",
    ),
    naming.sounds_like_predicting: (
        "predict predict_batches run_inference get_predictions",
        "evaluate score train_and_predict predictor",
    ),
    naming.sounds_like_dataset: (
        "dataset self.data loader test_data val_dataset",
        "dataset_name data_path load_dataset x metadata",
    ),
    naming.sounds_like_gradient_flag: (
        "enable_valid_grad with_gradients requires_grad torch.is_grad_enabled",
        "gradient_checkpointing grad_accumulation_steps training",
    ),
    naming.sounds_like_forces: ("forces pred_stress compute_force virials", "force force_reload workforce"),
    naming.sounds_like_data: (
        "x y xb yb inputs targets labels batch images img data mask input_ids tokens batch_x real_images next_obs "
        "X self.images x1",
        "model features z output loss loader image_encoder data_loader _",
    ),
    naming.sounds_like_loss: (
        "loss total_loss self.loss lossG loss_d errD cost objective losses g_loss loss_G_GAN dloss",
        "loss_fn loss_function MSELoss loss_weight loss_history compute_loss glossary lossless_codec x avg_loss _",
    ),
    naming.sounds_like_criterion: (
        "criterion self.criterion criterionGAN loss_fn loss_func loss_function criterion_cls cost_fn loss_criterion",
        "loss l1_loss loss_l1 get_criterion MSELoss criterion_name model loss_weight fn _",
    ),
    naming.sounds_like_optimizer: (
        "optimizer optimizerD self.optimizer_G optim optimiser opt_g opt_D g_opt actor_optim opt_actor optimizers",
        "opt opts optimizer_name optimizer_state optim_lr opt_level build_optimizer Optimizer adapter loss _",
    ),
    naming.sounds_like_scaler: (
        "scaler self.scaler grad_scaler accelerator fabric model_engine loss_scaler",
        "scale model loss scaler_state _",
    ),
    naming.sounds_like_method: (
        "decode_latents policy._decode_video encode predict_noise get_features classify",
        "decoder decode_head encoder generator latents model _",
    ),
    naming.sounds_like_no_grad: (
        "no_grad utils.no_grad nograd torch_no_grad eval_mode inference_context smart_inference_mode evaluating "
        "eval_decorator disable_grad set_grad without_gradients inference maybe_no_grad grad_ctx NoGrad evalMode "
        "_use_grad_for_differentiable tools.inference.context no_grad.scope",
        "train_mode run_model evaluate model open autocast wraps property medieval_model inference_step "
        "NetForInference tools.context training.context inference.load",
    ),
    naming.sounds_like_freezing: (
        "freezing freeze_parameters self.frozen_critic frozen_context",
        "freeze_time frozenset unfrozenish autocast model _",
    ),
    naming.sounds_like_attack: (
        "attack pgd_attack fgsm adversary perturb adapt compute_saliency gradcam gradient_penalty PGD "
        "attackmethod get_grads fisher",
        "no_grad evaluate model forward adapter invert_transform",
    ),
    naming.sounds_like_gradient: (
        "forces pred_forces stress virial grad gradients dE_forces",
        "logits grad_fn enforce distress loss gradual",
    ),
    naming.sounds_like_feature_network: (
        "vgg vgg19 self.vgg perceptual_net",
        "feature_extractor model vgg_loss_weight",
    ),
    naming.sounds_like_teacher: ("teacher target_net ref_model model_ema", "student model encoder"),
}

CASES = [
    pytest.param(question, name, expected, id=f"{question.__name__}-{name}-{expected}")
    for question, columns in YES_AND_NO.items()
    for column, expected in zip(columns, (True, False), strict=True)
    for name in column.split()
]


@pytest.mark.parametrize(("question", "name", "expected"), CASES)
def test_what_a_name_suggests(question: Callable[[str], bool], name: str, expected: bool) -> None:
    assert question(name) is expected


@pytest.mark.parametrize("question", YES_AND_NO, ids=lambda question: question.__name__)
def test_no_name_suggests_nothing(question: Callable[[str], bool]) -> None:
    assert not question("")
    assert not question("__")


def test_every_question_is_asked() -> None:
    questions = {
        value
        for name, value in vars(naming).items()
        if name.startswith(("sounds_like_", "misspells_", "says_", "mentions_"))
    }
    assert questions == set(YES_AND_NO)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("self.valDL2", ("val", "dl")),
        ("model_fp16", ("model", "fp")),
        ("HTMLParser", ("html", "parser")),
        ("loaders['val']", ("loaders", "val")),
        ("nets[0]", ("nets",)),
        ("", ()),
    ],
)
def test_words_of(name: str, words: tuple[str, ...]) -> None:
    assert naming.words_of(name) == words
